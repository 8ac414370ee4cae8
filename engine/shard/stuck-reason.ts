/** Why a shard that was stuck has been ended, in words for whoever has to find out what it was doing. */
import { fileURLToPath } from 'node:url'
import { shortUrl } from '../common/describe.js'
import type { Activity, Frame } from './running-stack.js'

/** Its stack is what the shard's thread was running, where that is known: this thread's would tell nothing. */
export function stuckReason(stuckTimeoutMs: number, activity: Activity): Error {
  const ms = `${String(stuckTimeoutMs)} ms (stuckTimeoutMs)`
  const what = `the worker thread did not answer for ${ms} while work was waiting, and was ended`
  const reason = new Error(`${what}${describe(activity)}`)
  if (activity.kind === 'running') {
    reason.stack = [`Error: ${reason.message}`, ...activity.frames.map((frame) => `    at ${textOf(frame)}`)].join('\n')
  }
  return reason
}

function describe(activity: Activity): string {
  switch (activity.kind) {
    case 'running': {
      // What Node does for a function is told by the function.
      const frame = activity.frames.find(({ url }) => !url.startsWith('node:')) ?? activity.frames[0]
      return frame === undefined ? '' : `; it was running ${frame.name} at ${placeOf(frame)}:${String(frame.line)}`
    }
    case 'native':
      return '; its thread was in native code, which shows no stack'
    case 'unknown':
      return ''
  }
}

function textOf(frame: Frame): string {
  return `${frame.name} (${placeOf(frame)}:${String(frame.line)}:${String(frame.column)})`
}

function placeOf({ url }: Frame): string {
  if (url === '') return '<anonymous>'
  try {
    return url.startsWith('file:') ? fileURLToPath(url) : shortUrl(url)
  } catch {
    return url
  }
}
