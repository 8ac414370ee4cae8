/** `symphony-transport send`: frames from stdin or the command line, and what comes back. */
import type { Connection } from '../../index.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { defineCommand, exitCodes } from '../command.js'
import { chunks, lines } from '../input-frames.js'
import { flag, option } from '../options/option.js'
import { integer } from '../options/reader.js'
import { endpoint, framing } from '../options/shared.js'
import { frameLine, type FrameStyle } from '../output/frame-text.js'
import { write } from '../output/write.js'
import type { Terminal } from '../terminal.js'
import { untilAborted } from '../until-aborted.js'
import { withEngine } from '../with-engine.js'

const DEFAULT_TIMEOUT_MS = 10_000

export const sendCommand = defineCommand({
  name: 'send',
  summary: 'sends frames from stdin, and prints the replies',
  options: {
    endpoint,
    framing,
    frame: option((text) => text, 'TEXT', 'send this one frame; stdin is not read'),
    raw: flag('send what stdin brings as it comes, and print replies as they are'),
    reply: option(integer(0, 1_000_000_000), 'N', 'end after so many replies (default: when the peer ends)'),
    timeout: option(integer(1, 86_400_000), '10000', 'milliseconds for all of --reply, behind the last frame'),
    hex: flag('print replies as hexadecimal digits'),
    json: flag('print one JSON object for each reply'),
  },
  operands: ['endpoint'],
  notes: [
    'Each line of stdin is a frame, without its end. Behind the last one the peer',
    'sees the end of the stream, unless --reply says for how many replies it is',
    'kept open. In text, control characters are shown as \\n, \\r and \\xNN.',
  ],
  examples: [
    "send local:echo --frame 'hello' --reply 1",
    'send local:log --framing line < app.log',
    'send unix:/run/app.sock --raw --framing raw',
  ],
  check({ frame, raw, hex, json }) {
    if (frame !== undefined && raw === true) return '--frame and --raw both say what to send'
    const styles = Object.entries({ raw, hex, json }).flatMap(([name, given]) => (given === true ? [`--${name}`] : []))
    return styles.length > 1 ? `${styles.join(' and ')} both say how to print` : undefined
  },
  run({ endpoint = '', framing, frame, raw, reply, timeout = DEFAULT_TIMEOUT_MS, hex, json }, run) {
    const { terminal, signal } = run
    const style = raw === true ? 'raw' : json === true ? 'json' : hex === true ? 'hex' : 'text'
    const { input, output } = terminal
    const source = frame === undefined ? (raw === true ? chunks(input) : lines(input)) : [frame]
    return withEngine({ shards: 1 }, run, async (engine) => {
      const transport = engine.transport(endpoint, { framing, allowHalfOpen: true, lastLine: 'keep' })
      const connection = await transport.connect({ signal })
      void untilAborted(signal).then(() => connection.destroy())
      try {
        const replies = new Replies(connection, reply, (each) => write(output, shown(each, style)))
        return await exchange({ connection, source, replies, timeout, terminal })
      } catch (error) {
        // It is gone because of the signal.
        if (signal.aborted) return exitCodes.ok
        throw error
      } finally {
        connection.destroy()
        input.destroy()
      }
    })
  },
})

interface Exchange {
  readonly connection: Connection
  readonly source: AsyncIterable<Buffer> | Iterable<string>
  readonly replies: Replies
  readonly timeout: number
  readonly terminal: Terminal
}

/** @throws {TransportError} What ends the connection before its time. */
async function exchange({ connection, source, replies, timeout, terminal }: Exchange): Promise<number> {
  const failed = (what: string): number => {
    terminal.errors.write(`${what}\n`)
    return exitCodes.failed
  }
  const sending = sendAll(source, connection)
  // Whichever is over first is looked at; of the other it is no news.
  sending.catch(() => undefined)
  const first = await Promise.race([replies.over.then(() => 'over'), sending.then(() => 'sent')])
  if (first === 'over') return failed('the peer has ended before the input did')
  const { wanted } = replies
  if (wanted === undefined) {
    await connection.end()
    await replies.over
    return exitCodes.ok
  }
  const timer = setTimeout(() => {
    const message = `${String(replies.count)} of ${String(wanted)} replies have come within ${String(timeout)} ms`
    connection.destroy(new TransportError('ERR_TIMEOUT', message))
  }, timeout)
  await Promise.race([replies.enough, replies.over]).finally(() => clearTimeout(timer))
  if (replies.count < wanted)
    return failed(`the peer has ended after ${String(replies.count)} of ${String(wanted)} replies`)
  const { code } = await connection.close()
  // Without a reply, its end is all that says that the peer has got everything.
  return wanted > 0 || code === 'OK' ? exitCodes.ok : failed(`${code}: the peer may not have got everything`)
}

async function sendAll(source: Exchange['source'], connection: Connection): Promise<void> {
  for await (const frame of source) if (!connection.send(frame)) await connection.ready()
}

/** What comes back: as many are shown as are wanted, or all. Those behind them are taken too, so that none waits. */
class Replies {
  readonly wanted: number | undefined
  count = 0
  /** Resolves when the peer has ended; rejects with what else has ended the connection. */
  readonly over: Promise<void>
  /** Resolves when as many have come as are wanted. */
  readonly enough: Promise<void>
  #onEnough: () => void = () => undefined

  constructor(connection: Connection, wanted: number | undefined, show: (frame: Buffer) => Promise<void>) {
    this.wanted = wanted
    this.enough = new Promise((resolve) => {
      this.#onEnough = resolve
    })
    this.over = this.#read(connection, show)
    this.over.catch(() => undefined)
  }

  async #read(connection: Connection, show: (frame: Buffer) => Promise<void>): Promise<void> {
    if (this.wanted === 0) this.#onEnough()
    for await (const frame of connection) {
      if (this.count === this.wanted) continue
      await show(frame)
      this.count++
      if (this.count === this.wanted) this.#onEnough()
    }
  }
}

function shown(frame: Buffer, style: FrameStyle | 'raw'): string | Buffer {
  return style === 'raw' ? frame : `${frameLine(frame, style)}\n`
}
