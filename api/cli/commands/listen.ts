/** `symphony-transport listen`: shows what peers send. */
import type { Connection } from '../../index.js'
import { defineCommand, exitCodes } from '../command.js'
import { flag } from '../options/option.js'
import { endpoint, framing, shards } from '../options/shared.js'
import { ConnectionNotes } from '../output/connection-notes.js'
import { frameLine } from '../output/frame-text.js'
import { write } from '../output/write.js'
import { untilAborted } from '../until-aborted.js'
import { withEngine } from '../with-engine.js'

export const listenCommand = defineCommand({
  name: 'listen',
  summary: 'prints the frames of all who connect',
  options: {
    endpoint,
    framing,
    shards,
    once: flag('end when the first connection has ended'),
    hex: flag('print frames as hexadecimal digits'),
    json: flag('print one JSON object for each frame'),
  },
  operands: ['endpoint'],
  notes: [
    'Each line begins with the number of the connection. In text, control',
    'characters are shown as \\n, \\r and \\xNN. Whoever sends faster than the output',
    'is read has to wait. Says on stderr where it listens, and what went wrong.',
  ],
  examples: ['listen local:log --framing line', 'listen unix:/tmp/a.sock --once --json'],
  check: ({ hex, json }) => (hex === true && json === true ? '--hex and --json both say how to print' : undefined),
  run({ endpoint = '', framing, shards, once, hex, json }, run) {
    const { terminal, signal } = run
    const style = json === true ? 'json' : hex === true ? 'hex' : 'text'
    return withEngine({ shards }, run, async (engine) => {
      const { output, errors } = terminal
      const notes = new ConnectionNotes(terminal)
      const listener = await engine.transport(endpoint, { framing, lastLine: 'keep' }).listen(undefined, { signal })
      errors.write(`listening on ${listener.endpoint}\n`)
      void untilAborted(signal).then(() => listener.close())
      const show = async (connection: Connection): Promise<boolean> => {
        const number = notes.begin()
        try {
          for await (const frame of connection) await write(output, `${frameLine(frame, style, number)}\n`)
        } catch {
          // How it has ended is said below.
        }
        const closed = await connection.closed
        notes.end(number, closed)
        return closed.code === 'OK'
      }
      for await (const connection of listener) {
        const showing = show(connection)
        if (once !== true) continue
        await listener.close()
        return (await Promise.race([showing, untilAborted(signal)])) === false ? exitCodes.failed : exitCodes.ok
      }
      if (signal.aborted) return exitCodes.ok
      const { code, cause } = await listener.closed
      errors.write(`${code}: ${cause?.message ?? 'the listener has ended'}\n`)
      return exitCodes.failed
    })
  },
})
