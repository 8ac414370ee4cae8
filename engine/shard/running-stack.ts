/**
 * What a thread that does not answer is doing: its JavaScript is paused for a moment, asked for its stack, and goes on.
 * A thread that sleeps in `Atomics.wait` is woken for that, and sleeps on; one in native code heeds nothing.
 */
import { inspectThread } from '../internals/thread-inspection.js'
import type { Clock } from '../protocol/clock.js'

/** A place in the running JavaScript. */
export interface Frame {
  readonly name: string
  /** A URL, or `node:` and a module of Node. */
  readonly url: string
  /** Counted from 1. */
  readonly line: number
  readonly column: number
}

export type Activity =
  | { readonly kind: 'running'; readonly frames: readonly Frame[] }
  /** Native code has it, or the system: for as long as was waited it heeded nothing. */
  | { readonly kind: 'native' }
  /** It cannot be told. */
  | { readonly kind: 'unknown' }

/** How long a thread has to answer, in milliseconds. In a large program the inspector looks at thousands of scripts. */
export const ANSWER_WITHIN_MS = 1_000
/** V8 loses some requests to pause, above all those that come together with `Debugger.enable`. */
const ASK_EVERY_MS = 100
const MOST_FRAMES = 10

interface CallFrame {
  readonly functionName: string
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number }
}

/** What is taken from the inspector's protocol. */
type Message =
  | { readonly method: 'Debugger.scriptParsed'; readonly params: { readonly scriptId: string; readonly url: string } }
  | { readonly method: 'Debugger.paused'; readonly params: { readonly callFrames: readonly CallFrame[] } }
  | { readonly method?: undefined; readonly id?: number }

const ENABLE = 1
const PAUSE = 2
const RESUME = 3

/** Resolves always, with ANSWER_WITHIN_MS as the bound. Whatever comes of it, the thread goes on as it was. */
export async function readRunningStack(threadId: number, clock: Clock): Promise<Activity> {
  const urls = new Map<string, string>()
  let hasAnswered = false
  let isAsked = false
  let tell: ((activity: Activity) => void) | undefined
  const told = new Promise<Activity>((resolve) => {
    tell = resolve
  })
  const pause = (): void => inspection?.send({ id: PAUSE, method: 'Debugger.pause' })
  const inspection = await inspectThread(threadId, {
    onGone: () => finish({ kind: 'unknown' }),
    onMessage(text) {
      hasAnswered = true
      const message = JSON.parse(text) as Message
      if (message.method === 'Debugger.scriptParsed') urls.set(message.params.scriptId, message.params.url)
      else if (message.method === 'Debugger.paused') {
        // If it was not asked, somebody's debugger has paused it, and goes on with that.
        if (isAsked) inspection?.send({ id: RESUME, method: 'Debugger.resume' })
        finish(activityOf(message.params.callFrames, urls))
      } else if (message.id === ENABLE) {
        isAsked = true
        pause()
      }
    },
  })
  if (inspection === undefined) return { kind: 'unknown' }
  const askUntil = (leftMs: number): (() => void) =>
    clock.setTimer(
      () => {
        // An answer may be in the queue behind the timer.
        if (leftMs <= ASK_EVERY_MS) clock.nextTurn(() => finish({ kind: hasAnswered ? 'unknown' : 'native' }))
        else cancel = askUntil(leftMs - ASK_EVERY_MS)
        if (isAsked) pause()
      },
      ASK_EVERY_MS,
      { keepsAlive: false },
    )
  let cancel = askUntil(ANSWER_WITHIN_MS)
  function finish(activity: Activity): void {
    cancel()
    inspection?.close()
    tell?.(activity)
  }
  inspection.send({ id: ENABLE, method: 'Debugger.enable', params: {} })
  return told
}

function activityOf(callFrames: readonly CallFrame[], urls: ReadonlyMap<string, string>): Activity {
  const frames = callFrames.slice(0, MOST_FRAMES).map(({ functionName, location }) => ({
    name: functionName === '' ? '<anonymous>' : functionName,
    url: urls.get(location.scriptId) ?? '',
    line: location.lineNumber + 1,
    column: (location.columnNumber ?? 0) + 1,
  }))
  return frames.length === 0 ? { kind: 'unknown' } : { kind: 'running', frames }
}
