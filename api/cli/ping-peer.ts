/** Sends a frame, waits for its answer, compares, and so on. */
import { createHistogram } from 'node:perf_hooks'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from '../index.js'

export interface PingPlan {
  /** Payload bytes. */
  readonly size: number
  readonly count: number
  /** Milliseconds between two round trips. */
  readonly interval: number
  /** Milliseconds for each answer. */
  readonly timeout: number
  /** The transport keeps no frames apart: an answer may come in pieces. */
  readonly isStream: boolean
}

export interface PingOutcome {
  readonly sent: number
  readonly answered: number
  /** Why it ended before its time, in one line. */
  readonly failure: string | undefined
  /** Nanoseconds. */
  readonly times: Readonly<Record<'min' | 'mean' | 'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>
}

/** Nanoseconds between two calls of `onProgress`. */
const EACH_NS = 100_000_000n

const SUSPICION = 'does it echo, with the same framing?'

/** Never rejects. An abort of the signal is no failure. */
export async function pingPeer(
  connection: Connection,
  { size, count, interval, timeout, isStream }: PingPlan,
  signal: AbortSignal,
  onProgress: (soFar: PingOutcome) => void,
): Promise<PingOutcome> {
  const histogram = createHistogram()
  const payload = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz')
  let sent = 0
  let answered = 0
  let shownAt = process.hrtime.bigint()
  const outcome = (failure?: string): PingOutcome => {
    const { min, mean, max } = histogram
    const [p50 = 0, p90 = 0, p99 = 0, p999 = 0] = [50, 90, 99, 99.9].map((each) => histogram.percentile(each))
    return { sent, answered, failure, times: { min, mean, p50, p90, p99, p999, max } }
  }
  try {
    while (sent < count && !signal.aborted) {
      if (sent > 0 && interval > 0) await pause(interval, undefined, { signal })
      stamp(payload, sent)
      const sentAt = process.hrtime.bigint()
      sent++
      if (!connection.send(payload)) await connection.ready({ signal, timeoutMs: timeout })
      const answer = await receive(connection, isStream ? size : 0, { signal, timeoutMs: timeout })
      const now = process.hrtime.bigint()
      if (answer === undefined) return outcome(`the peer has ended before answer ${String(sent)}: ${SUSPICION}`)
      if (!answer.equals(payload)) return outcome(`answer ${String(sent)} is not what was sent: ${SUSPICION}`)
      answered++
      histogram.record(now - sentAt)
      if (now - shownAt < EACH_NS) continue
      shownAt = now
      onProgress(outcome())
    }
    return outcome()
  } catch (error) {
    return outcome(signal.aborted ? undefined : `answer ${String(sent)} has not come: ${(error as Error).message}`)
  }
}

/** So that an answer to another frame is known as one. */
function stamp(payload: Buffer, index: number): void {
  const digits = String(index).slice(-payload.length)
  payload.write(digits, payload.length - digits.length, 'latin1')
}

/** A frame, or as many of them as have so many bytes. Undefined: the peer has ended. */
async function receive(
  connection: Connection,
  bytes: number,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Buffer | undefined> {
  let answer = await connection.receive(options)
  while (answer !== undefined && answer.length < bytes) {
    const more = await connection.receive(options)
    answer = more && Buffer.concat([answer, more])
  }
  return answer
}
