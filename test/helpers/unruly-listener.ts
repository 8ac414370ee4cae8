/** A listener that fixtures/unruly-module.ts serves in the shards, and plain peers of it. */
import net from 'node:net'
import { type Engine, type EngineOptions, type HandlerListener, type HandlerListenOptions } from '../../api/index.js'
import { startEngine } from '../../api/engine.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { word, type UnrulyApi, type UnrulyData } from '../fixtures/unruly-module.js'
import { FailureBook } from './failure-book.js'
import { RawReader, rawFrame } from './raw-frames.js'
import { makeTemporaryFolder, pathOf, type TemporaryFolder } from './temporary-folder.js'

export const unrulyModule = new URL('../fixtures/unruly-module.js', import.meta.url)

/** More of them than it takes for the kernel to reach each shard. */
const MOST_PEERS = 400

export class UnrulyPeer {
  readonly socket: net.Socket
  readonly #reader: RawReader

  constructor(socket: net.Socket) {
    this.socket = socket
    this.#reader = new RawReader(socket)
  }

  tell(order: string): void {
    this.socket.write(rawFrame(order))
  }

  /** The next reply; undefined: the connection has ended. */
  async reply(): Promise<string | undefined> {
    return (await this.#reader.next())?.toString()
  }

  async ask(order: string): Promise<string | undefined> {
    this.tell(order)
    return this.reply()
  }

  /** Shard and generation. */
  life(): Promise<string | undefined> {
    return this.ask('stamp')
  }
}

interface UnrulyListenOptions extends Pick<HandlerListenOptions, 'host' | 'signal' | 'setupTimeoutMs'> {
  /** Failures become process warnings. */
  readonly warns?: boolean
}

export class Unruly {
  readonly engine: Engine
  readonly folder: TemporaryFolder
  readonly endpoint: string
  readonly failures = new FailureBook()
  readonly words = new Int32Array(new SharedArrayBuffer(word.WORDS * Int32Array.BYTES_PER_ELEMENT))
  readonly #sockets = new Set<net.Socket>()

  private constructor(engine: Engine, folder: TemporaryFolder) {
    this.engine = engine
    this.folder = folder
    this.endpoint = folder.endpoint()
  }

  /** Restarts threads at once. */
  static async start(options: EngineOptions, clock: Clock = systemClock): Promise<Unruly> {
    const restart = { max: 1_000, initialDelayMs: 1, maxDelayMs: 1 }
    return new Unruly(await startEngine({ restart, ...options }, clock), await makeTemporaryFolder())
  }

  count(of: keyof typeof word): number {
    return Atomics.load(this.words, word[of])
  }

  listen(
    data: Omit<UnrulyData, 'words'> = {},
    { warns = false, ...options }: UnrulyListenOptions = {},
  ): Promise<HandlerListener<UnrulyApi>> {
    return this.engine.transport(this.endpoint).listen<UnrulyApi>({
      handler: unrulyModule,
      data: { words: this.words, ...data },
      ...options,
      ...(warns ? {} : { onError: this.failures.onError }),
    })
  }

  async connect(): Promise<UnrulyPeer> {
    const socket = net.connect({ path: pathOf(this.endpoint) })
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new UnrulyPeer(socket)
  }

  /** One that this shard serves, in this life. */
  async connectTo(life: string): Promise<UnrulyPeer> {
    for (let i = 0; i < MOST_PEERS; i++) {
      const peer = await this.connect()
      if ((await peer.life()) === life) return peer
    }
    throw new Error('the kernel did not reach each shard')
  }

  /** Returns what the engine has leaked. */
  async close(): Promise<number> {
    for (const socket of this.#sockets) socket.destroy()
    try {
      return (await this.engine.close({ graceMs: 0 })).leaked
    } finally {
      await this.folder.remove()
    }
  }
}
