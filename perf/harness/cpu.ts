/** CPU time of every thread of a process, read from the system: Node 20 has no call for another thread's. */
import fs from 'node:fs'
import process from 'node:process'

export interface CpuReading {
  /** Nanoseconds on a CPU so far, by thread id. */
  readonly byThread: ReadonlyMap<number, number>
}

export interface CpuUse {
  readonly totalMs: number
  readonly mainThreadMs: number
}

/** Undefined where /proc is not available. */
export function readCpu(pid: number): CpuReading | undefined {
  if (process.platform !== 'linux') return undefined
  const folder = `/proc/${String(pid)}/task`
  try {
    const byThread = new Map<number, number>()
    for (const tid of fs.readdirSync(folder)) {
      const [nanoseconds] = fs.readFileSync(`${folder}/${tid}/schedstat`, 'utf8').split(' ')
      byThread.set(Number(tid), Number(nanoseconds))
    }
    return { byThread }
  } catch {
    return undefined
  }
}

export function cpuUsed(
  pid: number,
  before: CpuReading | undefined,
  after: CpuReading | undefined,
): CpuUse | undefined {
  if (before === undefined || after === undefined) return undefined
  let total = 0
  for (const [tid, nanoseconds] of after.byThread) total += nanoseconds - (before.byThread.get(tid) ?? 0)
  const main = (after.byThread.get(pid) ?? 0) - (before.byThread.get(pid) ?? 0)
  return { totalMs: total / 1e6, mainThreadMs: main / 1e6 }
}
