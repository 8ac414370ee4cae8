/** The thread of a pacer. */
import fs from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { monotonicMs } from '../harness/monotonic.js'

export interface PaceOrder {
  /** Milliseconds of the machine's monotonic clock. */
  readonly startsAt: number
  readonly intervalMs: number
  readonly count: number
  readonly told: Int32Array
}

export interface PaceReport {
  /** CPU of this thread; undefined where the system does not tell. */
  readonly cpuMs: number | undefined
}

/** Nothing ever wakes who waits here. */
const never = new Int32Array(new SharedArrayBuffer(4))

function ownCpuMs(): number | undefined {
  try {
    return Number(fs.readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6
  } catch {
    return undefined
  }
}

parentPort?.on('message', ({ startsAt, intervalMs, count, told }: PaceOrder) => {
  const before = ownCpuMs()
  for (let next = 0; next < count;) {
    const wait = startsAt + next * intervalMs - monotonicMs()
    if (wait > 0) {
      // eslint-disable-next-line no-restricted-syntax -- this thread has nothing else to do, and owns no socket
      Atomics.wait(never, 0, 0, wait)
      continue
    }
    next += 1 + Math.floor(-wait / intervalMs)
    if (Atomics.exchange(told, 0, 1) === 0) parentPort?.postMessage('due')
  }
  const after = ownCpuMs()
  const cpuMs = before === undefined || after === undefined ? undefined : after - before
  parentPort?.postMessage({ cpuMs } satisfies PaceReport)
})
