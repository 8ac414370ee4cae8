/** Asks for statistics again and again, and hands each answer on. */
import { setTimeout as pause } from 'node:timers/promises'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { Connection } from '../../index.js'
import type { StatsAnswer } from '../../metrics/index.js'
import { STATS_QUESTION } from '../../metrics/serve-stats.js'
import { readAnswer } from './read-answer.js'

/** An engine that is busy answers late. */
const PATIENCE_MS = 10_000

/** Why it has ended. `gone`: of the engine, in words. */
export type WatchEnd = { readonly kind: 'asked' } | { readonly kind: 'gone'; readonly why: string }

export interface WatchPlan {
  readonly intervalMs: number
  readonly signal: AbortSignal
  /** True: enough. */
  readonly onAnswer: (answer: StatsAnswer, line: Buffer) => boolean
}

/** @throws {TransportError} ERR_TIMEOUT: no answer for ten seconds */
export async function watch(connection: Connection, { intervalMs, signal, onAnswer }: WatchPlan): Promise<WatchEnd> {
  const asked: WatchEnd = { kind: 'asked' }
  const { endpoint } = connection.info
  try {
    for (let answers = 0; ; answers++) {
      if (answers > 0) await pause(intervalMs, undefined, { signal })
      connection.send(STATS_QUESTION)
      const line = await connection.receive({ signal, timeoutMs: PATIENCE_MS })
      if (line === undefined) {
        const why =
          answers === 0
            ? 'it has ended the connection: it is none of serveStats(), or has as many clients as it takes'
            : 'it has gone'
        return { kind: 'gone', why: `${endpoint}: ${why}` }
      }
      const answer = readAnswer(line)
      if (typeof answer === 'string') return { kind: 'gone', why: `${endpoint}: ${answer}` }
      if (onAnswer(answer, line)) return asked
    }
  } catch (error) {
    if (signal.aborted) return asked
    if (!(error instanceof TransportError) || error.code === 'ERR_TIMEOUT') throw error
    return { kind: 'gone', why: `${endpoint}: it has gone (${error.code})` }
  }
}
