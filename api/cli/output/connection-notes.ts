/** What a listening command says of its connections, beside their frames. */
import type { ClosedInfo } from '../../../engine/common/connection.js'
import type { Terminal } from '../terminal.js'

const ownDoing: ReadonlySet<ClosedInfo['code']> = new Set(['OK', 'ERR_ABORTED', 'ERR_ENGINE_CLOSED'])

/** A clean end is not worth a line, nor one that this side has made. */
export function isNews({ code }: ClosedInfo): boolean {
  return !ownDoing.has(code)
}

/** Numbers the connections of one run, from 1. */
export class ConnectionNotes {
  readonly #errors: Terminal['errors']
  #last = 0

  constructor({ errors }: Pick<Terminal, 'errors'>) {
    this.#errors = errors
  }

  begin(): number {
    return ++this.#last
  }

  end(number: number, closed: ClosedInfo): void {
    if (isNews(closed)) this.say(number, whyItEnded(closed))
  }

  say(number: number, text: string): void {
    this.#errors.write(`connection ${String(number)}: ${text}\n`)
  }
}

/** In one line. */
function whyItEnded({ code, cause }: ClosedInfo): string {
  const text = cause?.message.trim().replaceAll(/\s*\n\s*/g, ' ')
  return text === undefined ? code : `${code}: ${text}`
}
