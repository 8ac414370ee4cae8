/**
 * The memory that connections take when they come and go, with both ends in one process, over the engine and over plain
 * `net`.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FramingKind } from '../../api/index.js'
import type { ChurnPlan, ChurnReport } from '../harness/churn-plan.js'
import { endpointAt, meetingPlace } from '../harness/meeting-place.js'

export interface ChurnSettings {
  readonly folder: string
  readonly connections: number
  readonly bytes: number
  /** Connections at one time. */
  readonly concurrency: number
  readonly shards: number
  readonly framings: readonly FramingKind[]
}

export interface ChurnRow extends ChurnReport {
  readonly name: string
  /** All connections were served, and everything was released. */
  readonly verified: boolean
}

const program = fileURLToPath(new URL('../programs/churner.js', import.meta.url))

export async function runChurn(settings: ChurnSettings): Promise<ChurnRow[]> {
  const { folder, connections, bytes, concurrency, shards, framings } = settings
  const plan = { connections, bytes, concurrency, shards, kills: 0 }
  const rows: ChurnRow[] = []
  const add = async (name: string, stack: 'net' | 'engine', framing: FramingKind): Promise<void> => {
    const endpoint = endpointAt(meetingPlace(folder, stack))
    const report = await run({ ...plan, stack, endpoint, framing })
    rows.push({ ...report, name, verified: report.served === connections && report.leaked === 0 })
  }
  await add('net', 'net', 'raw')
  for (const framing of framings) await add(`engine, ${framing}`, 'engine', framing)
  return rows
}

function run(plan: ChurnPlan): Promise<ChurnReport> {
  const child = fork(program, [JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(said) as ChurnReport)
      else reject(new Error(`the program with the connections ended with code ${String(code)}`))
    })
  })
}
