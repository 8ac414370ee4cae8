import { DEFAULT_CLIENTS, DEFAULT_REQUESTS } from '../flags.js'
import { httpTable } from '../report/http-table.js'
import { runHttp } from '../scenarios/http.js'
import { allRight, contest, type RunScenario } from './command.js'

export const http: RunScenario<'http'> = async (flags, folder) => {
  const { count = DEFAULT_REQUESTS, clients = DEFAULT_CLIENTS } = flags
  const report = await runHttp({ ...contest(folder, flags), count, clients })
  console.log(httpTable(report))
  return { right: report.released && allRight(report.rows), reports: [report] }
}
