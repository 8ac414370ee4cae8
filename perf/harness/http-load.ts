/** HTTP load from autocannon, which keeps so many connections busy until all requests are answered. */
import { Unfit } from '../../api/cli/options/reader.js'
import { Distribution } from './distribution.js'
import { HOST_PATH, HOST_REPLY } from './messages.js'

/** A run ends only at one of its samples. */
const SAMPLE_MS = 20

export interface LoadResult {
  /** From the first request to the last answer. */
  readonly seconds: number
  readonly took: Distribution
  /** Requests without an answer, and answers that were not what they had to be. */
  readonly wrong: number
}

/** It is no dependency of the package. @throws {Unfit} */
export async function findLoad(): Promise<void> {
  try {
    await import('autocannon')
  } catch {
    throw new Unfit('the load comes from autocannon, which is not installed: npm install autocannon')
  }
}

export async function load(socketPath: string, clients: number, count: number, laps: number): Promise<LoadResult> {
  const { default: autocannon } = await import('autocannon')
  const startedAt = performance.now()
  const url = `http://localhost${HOST_PATH}${String(laps)}`
  const options = { url, socketPath, connections: clients, amount: count, expectBody: HOST_REPLY }
  const run = autocannon({ ...options, sampleInt: SAMPLE_MS })
  // Its own histogram has whole milliseconds.
  const micros: number[] = []
  let endedAt = startedAt
  run.on('response', (_client, _status, _bytes, milliseconds) => {
    micros.push(milliseconds * 1_000)
    endedAt = performance.now()
  })
  const result = await run
  return {
    seconds: (endedAt - startedAt) / 1_000,
    took: Distribution.ofMicros(micros),
    wrong: Math.max(0, count - result['2xx']) + result.mismatches,
  }
}
