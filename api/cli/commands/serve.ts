/** `symphony-transport serve`: an echo, or a program's stdio behind a socket. */
import type { Connection, Engine, FramingKind } from '../../index.js'
import { defineCommand, exitCodes } from '../command.js'
import { endpoint, framing, shards } from '../options/shared.js'
import { ConnectionNotes, isNews } from '../output/connection-notes.js'
import { untilAborted } from '../until-aborted.js'
import { withEngine } from '../with-engine.js'

export const serveCommand = defineCommand({
  name: 'serve',
  summary: 'answers each frame with itself, or by a program behind --',
  options: { endpoint, framing, shards },
  operands: ['endpoint'],
  rest: 'PROGRAM ARGS',
  notes: [
    'With PROGRAM, each connection gets a process of its own: its frames go to the',
    'stdin of that, and what it writes to stdout comes back, in the same framing.',
    'Says on stderr where it listens, and ends at SIGINT and SIGTERM: what was',
    'sent leaves, and no process stays.',
  ],
  examples: ['serve local:echo', 'serve local:lines --framing line', 'serve local:sort --framing raw -- sort -n'],
  run({ endpoint = '', framing, shards }, run, [command, ...args]) {
    return withEngine({ shards }, run, async (engine) => {
      const { errors } = run.terminal
      const notes = new ConnectionNotes(run.terminal)
      const transport = engine.transport(endpoint, { framing, allowHalfOpen: command !== undefined })
      const serve = command === undefined ? echo : behind({ engine, command, args, framing })
      const listener = await transport.listen(
        async (connection) => {
          const number = notes.begin()
          void connection.closed.then((closed) => notes.end(number, closed))
          await serve(connection, (what) => notes.say(number, what))
        },
        { signal: run.signal },
      )
      errors.write(`listening on ${listener.endpoint}\n`)
      const ended = await Promise.race([untilAborted(run.signal), listener.closed])
      await listener.close()
      if (ended === undefined) return exitCodes.ok
      errors.write(`${ended.code}: ${ended.cause?.message ?? 'the listener has ended'}\n`)
      return exitCodes.failed
    })
  },
})

type Serve = (connection: Connection, say: (what: string) => void) => Promise<unknown>

const echo: Serve = (connection) => {
  connection.subscribe((frame) => (connection.send(frame) ? undefined : ready(connection)), { borrow: true })
  return Promise.resolve()
}

/** The end of a connection is no failure of whoever waits for room in it. */
function ready(connection: Connection): Promise<void> {
  return connection.ready().catch(() => undefined)
}

interface Program {
  readonly engine: Engine
  readonly command: string
  readonly args: readonly string[]
  readonly framing: FramingKind | undefined
}

/** A process for each connection. */
function behind({ engine, command, args, framing }: Program): Serve {
  const program = engine.transport(
    { kind: 'stdio', command, args: [...args], stderr: 'inherit' },
    { framing, allowHalfOpen: true },
  )
  return async (peer, say) => {
    let child: Connection
    try {
      child = await program.connect()
    } catch (error) {
      say((error as Error).message)
      peer.destroy()
      return
    }
    // Whoever is gone reads nothing any more.
    void peer.closed.then(() => child.close())
    void pass(peer, child)
    const [closed] = await Promise.all([child.closed, pass(child, peer)])
    if (isNews(closed)) say(closed.cause?.message ?? closed.code)
    await peer.close()
  }
}

/** Frame by frame, as fast as the slower side. Settles when nothing more comes, or can be given. */
async function pass(from: Connection, to: Connection): Promise<void> {
  try {
    for await (const frame of from) if (!to.send(frame)) await to.ready()
    await to.end()
  } catch {
    // Either has ended: its `closed` says how.
  }
}
