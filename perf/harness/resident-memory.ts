/** What of this process is in memory, as the system counts it. */
import fs from 'node:fs'
import process from 'node:process'

export interface ResidentMemory {
  /** All of it. */
  readonly rssBytes: number
  /** Of that, pages of files in memory, which are there once for all processes that have mapped them. Linux only. */
  readonly sharedBytes: number | undefined
}

export function residentMemory(): ResidentMemory {
  const rssBytes = process.memoryUsage.rss()
  try {
    return { rssBytes, sharedBytes: sharedBytesIn(fs.readFileSync('/proc/self/status', 'utf8')) }
  } catch {
    return { rssBytes, sharedBytes: undefined }
  }
}

/** From the text of /proc/PID/status. */
export function sharedBytesIn(status: string): number | undefined {
  const kibibytes = /^RssShmem:\s+(\d+) kB$/m.exec(status)?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}
