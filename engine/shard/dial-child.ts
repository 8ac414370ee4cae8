/** Starts a child process and makes its stdin and stdout a connection. */
import type net from 'node:net'
import type { Connection, LinkIdentity } from '../link/connection.js'
import type { LinkOptions } from '../link/options.js'
import { fromSystemError, TransportError } from '../shared/errors.js'
import type { ChildSettings } from './child.js'
import type { Children } from './children.js'
import { offerRendezvous, type Rendezvous } from './rendezvous.js'
import type { DialControl, Shard } from './shard.js'

/** Rejects with ERR_SPAWN, or as `Shard.dial()` does. */
export async function dialChild(
  shard: Shard,
  settings: ChildSettings,
  options: LinkOptions,
  identity: LinkIdentity,
  control: DialControl,
  children: Children,
): Promise<Connection> {
  const { endpoint } = identity
  const stdin = new Meeting(endpoint)
  const stdout = new Meeting(endpoint)
  let connection: Connection | undefined
  const wait = { givenUp: false }
  const onStarted = (stop: () => void): void => {
    control.onStarted(() => {
      wait.givenUp = true
      stop()
      connection?.destroy()
    })
  }
  try {
    const target = { kind: 'stdio', stdin: stdin.open(), stdout: stdout.open() } as const
    const link = await shard.dial(target, options, identity, { ...control, onStarted })
    connection = link
    // What ends it before main has its ends leaves nobody to come.
    const over = link.closed.then(({ cause }) => {
      throw cause ?? nobodyCame(endpoint)
    })
    const [childStdin, childStdout] = await Promise.race([over, Promise.all([stdin.socket, stdout.socket])])
    if (wait.givenUp) throw nobodyCame(endpoint)
    const child = await children.start(settings, childStdin, childStdout, endpoint, (cause) => {
      link.destroy(
        new TransportError(
          'ERR_HANDLER',
          'the function for stderr failed, so the connection was destroyed. See the cause.',
          { cause, endpoint },
        ),
      )
    })
    link.accompany(child)
    return link
  } catch (error) {
    connection?.destroy(error as Error)
    throw error
  } finally {
    stdin.close()
    stdout.close()
  }
}

function nobodyCame(endpoint: string): TransportError {
  return new TransportError('ERR_ABORTED', 'starting the child process was given up.', { endpoint })
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
    this.#settle.reject(nobodyCame(this.#endpoint))
    this.socket.then((socket) => socket.destroy(), ignore)
  }
}

function ignore(): void {
  // Nobody came.
}
