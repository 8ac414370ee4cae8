/** How the end of a child process ends the connection to it. */
import type { AttachedProcess, ProcessExit } from '../common/attached-process.js'
import { TransportError, type TransportErrorCode } from '../protocol/errors.js'
import { lane } from '../protocol/ring-layout.js'
import type { ConnectionSettings } from './connection-settings.js'
import type { LaneHost } from './lane-host.js'

/** What a stream looks like whose process has died in the middle of it. */
const BROKEN_OFF: readonly TransportErrorCode[] = ['ERR_RESET', 'ERR_TRUNCATED']

/**
 * Why a connection to a process has ended, as `error` and its exit say. A process that failed is the reason why its
 * stream ended, unless the stream was ended by something else. Undefined: both ended well.
 */
export function processFailure(
  { exitCode, signal }: ProcessExit,
  { stderrHead }: AttachedProcess,
  error: TransportError | undefined,
  endpoint: string,
): TransportError | undefined {
  if (exitCode === 0 || (error !== undefined && !BROKEN_OFF.includes(error.code))) return error
  // It had broken off and lived on: that we ended it for that is no reason.
  if (error?.code === 'ERR_TRUNCATED' && signal === 'SIGTERM') return error
  const how = signal === null ? `exited with code ${String(exitCode)}` : `was ended by ${signal}`
  const said = stderrHead === '' ? '' : ` It said: ${stderrHead}`
  return new TransportError('ERR_EXIT', `the child process ${how}.${said}`, { cause: error, endpoint })
}

/** Of a lane: what tells whether more comes. */
export interface HeardLane {
  load(word: number): number
  readonly settings: Pick<ConnectionSettings, 'clock' | 'closeTimeoutMs'>
  readonly host: Pick<LaneHost, 'turned'>
}

export interface LastWordsEvents {
  onSilent(): void
  /** Nothing comes because the ring is full. May cancel. */
  onFull(): void
}

/**
 * Waits for the last words of a process that has ended: another process may hold the other end of its pipe. Calls
 * `onSilent()` once nothing has come for `closeTimeoutMs`. Returns what ends the wait.
 */
export function awaitLastWords(words: HeardLane, events: LastWordsEvents): () => void {
  const { clock, closeTimeoutMs } = words.settings
  let cancelTimer: (() => void) | undefined
  const isAwaited = (): boolean => cancelTimer !== undefined
  const listen = (): void => {
    const heard = words.load(lane.IN_TAIL)
    // A lane that fills, or that is full, has more to come: only silence means that all was said.
    const hasMore = (): boolean => {
      if (words.load(lane.IN_TAIL) !== heard) return true
      if (words.load(lane.IN_SPACE) === 0) return false
      events.onFull()
      return true
    }
    const onTimer = (): void => {
      if (hasMore()) {
        if (isAwaited()) listen()
        return
      }
      // Silence is the peer's only if the shard, which has room, has had its turn to listen.
      void words.host.turned().then(() => {
        if (!isAwaited()) return
        if (!hasMore()) events.onSilent()
        else if (isAwaited()) listen()
      })
    }
    // The connection keeps the host alive, as far as it is to.
    cancelTimer = clock.setTimer(onTimer, closeTimeoutMs, { keepsAlive: false })
  }
  listen()
  return () => {
    cancelTimer?.()
    cancelTimer = undefined
  }
}
