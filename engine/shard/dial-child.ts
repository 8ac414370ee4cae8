/** Starts a child process and makes its stdin and stdout a connection. */
import type net from 'node:net'
import type { Connection, LinkIdentity } from '../link/connection.js'
import type { LinkOptions } from '../link/options.js'
import { fromSystemError } from '../shared/errors.js'
import type { Ledger } from '../shared/ledger.js'
import { Child, type ChildSettings } from './child.js'
import { offerRendezvous, type Rendezvous } from './rendezvous.js'
import type { DialControl, Shard } from './shard.js'

/** Rejects with ERR_SPAWN, or as `Shard.dial()` does. */
export async function dialChild(
  shard: Shard,
  settings: ChildSettings,
  options: LinkOptions,
  identity: LinkIdentity,
  control: DialControl,
  ledger: Ledger,
): Promise<Connection> {
  const stdin = new Meeting(identity.endpoint)
  const stdout = new Meeting(identity.endpoint)
  let connection: Connection | undefined
  try {
    const target = { kind: 'stdio', stdin: stdin.open(), stdout: stdout.open() } as const
    connection = await shard.dial(target, options, identity, control)
    const [childStdin, childStdout] = await Promise.all([stdin.socket, stdout.socket])
    const child = await Child.start(
      settings,
      childStdin,
      childStdout,
      identity.endpoint,
      ledger,
      options.clock,
    )
    connection.accompany(child)
    return connection
  } catch (error) {
    connection?.destroy(error as Error)
    throw error
  } finally {
    stdin.close()
    stdout.close()
  }
}

/** One end of what the shard connects to, for the child. */
class Meeting {
  readonly socket: Promise<net.Socket>
  readonly #endpoint: string
  #settle!: { resolve: (socket: net.Socket) => void; reject: (error: Error) => void }
  #rendezvous: Rendezvous | undefined

  constructor(endpoint: string) {
    this.#endpoint = endpoint
    this.socket = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.socket.catch(ignore)
  }

  /** Returns where the shard is to connect. */
  open(): string {
    const { resolve, reject } = this.#settle
    try {
      this.#rendezvous = offerRendezvous(resolve, (error) => {
        reject(fromSystemError(error, 'starting', this.#endpoint))
      })
    } catch (error) {
      throw fromSystemError(error as NodeJS.ErrnoException, 'starting', this.#endpoint)
    }
    return this.#rendezvous.path
  }

  /** What came of it is the child's by now, or nobody's. */
  close(): void {
    this.#rendezvous?.close()
    this.#settle.reject(new Error('nobody came'))
    this.socket.then((socket) => socket.destroy(), ignore)
  }
}

function ignore(): void {
  // Nobody came.
}
