/** One listener on its shards, with what its transport needs for that: a socket, a file, descriptors. */
import { fromSystemError, deserializeError, TransportError } from '../protocol/errors.js'
import type { FramingSpec } from '../protocol/framing.js'
import type { Ledger } from '../common/ledger.js'
import { isDenied } from '../protocol/permission.js'
import { isAbstract, isBoundByMain, type ListenTarget } from '../protocol/target.js'
import { BoundSocket, type Duplicate } from '../sockets/bound-socket.js'
import type { Shard } from '../shard/shard.js'
import { prepareSocketFile, type SocketFile } from '../sockets/socket-file.js'

interface BindingSettings {
  readonly listenerId: number
  readonly endpoint: string
  readonly target: ListenTarget
  readonly backlog: number
  /** Framing of its connections. */
  readonly framing: FramingSpec
  /** How many accepted connections may wait to be taken on one shard before it stops accepting. */
  readonly maxQueued: number
  /** Mode of the socket file. */
  readonly mode: number
}

/** Made ahead, since pauses come in rows: a helper process for each would delay the peers in the backlog. */
const SPARE_DUPLICATES = 7

export class ShardBindings {
  readonly #settings: BindingSettings
  readonly #file: SocketFile | undefined
  readonly #socket: BoundSocket | undefined
  readonly #shards = new Set<Shard>()
  #closing: Promise<void> | undefined

  private constructor(settings: BindingSettings, file: SocketFile | undefined, socket: BoundSocket | undefined) {
    this.#settings = settings
    this.#file = file
    this.#socket = socket
  }

  /** Listens on all of the shards, or on none. An abort closes it. */
  static async open(
    shards: readonly Shard[],
    settings: BindingSettings,
    ledger: Ledger,
    signal: AbortSignal,
  ): Promise<ShardBindings> {
    const { target, endpoint } = settings
    const file =
      isBoundByMain(target) && !isAbstract(target)
        ? await prepareSocketFile(target, settings.mode, endpoint)
        : undefined
    let listening: ShardBindings | undefined
    try {
      const socket = isBoundByMain(target) ? bind(file?.bindPath ?? target.path, endpoint, ledger) : undefined
      const opening = new ShardBindings(settings, file, socket)
      listening = opening
      signal.addEventListener('abort', () => void opening.close(), { once: true })
      await opening.join(shards)
      await file?.publish()
      return opening
    } catch (error) {
      if (listening === undefined) await file?.remove()
      else await listening.close()
      throw error
    }
  }

  get hasFile(): boolean {
    return this.#file !== undefined
  }

  /** The shards that serve it. */
  get shards(): ReadonlySet<Shard> {
    return this.#shards
  }

  /** Listens on shards that do not serve it yet. */
  async join(shards: readonly Shard[]): Promise<void> {
    const { listenerId, backlog, framing, maxQueued, endpoint } = this.#settings
    await this.#withTargets(shards, 0, async (shard, target) => {
      const outcome = await shard.accepted.listen({ listenerId, target, backlog, framing, maxQueued })
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
      if (this.#closing !== undefined) await shard.accepted.unlisten(listenerId)
      else this.#shards.add(shard)
    })
  }

  /** Lets a shard that had stopped accepting go on. */
  async resume(shard: Shard): Promise<void> {
    const { listenerId, endpoint } = this.#settings
    await this.#withTargets([shard], SPARE_DUPLICATES, async (_, target) => {
      const outcome = await shard.accepted.resume(listenerId, target)
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
    })
  }

  /** The shard is gone, and with it what it had accepted. */
  forget(shard: Shard): void {
    this.#shards.delete(shard)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#shards].map((shard) => shard.accepted.unlisten(this.#settings.listenerId)))
    // The file goes before the socket closes: until then no other process takes it for stale and replaces it.
    await this.#file?.remove()
    await this.#socket?.close()
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    const { endpoint } = this.#settings
    throw new TransportError('ERR_CLOSED', 'the listener was closed meanwhile.', { endpoint })
  }

  /** Gives each shard what it is to listen on: for a socket, a descriptor of its own. */
  async #withTargets(
    shards: readonly Shard[],
    spareDuplicates: number,
    use: (shard: Shard, target: ListenTarget) => Promise<void>,
  ): Promise<void> {
    const { target, endpoint } = this.#settings
    if (shards.length === 0) return
    this.#assertOpen()
    const socket = this.#socket
    if (socket === undefined || !isBoundByMain(target)) {
      await Promise.all(shards.map((shard) => use(shard, target)))
      return
    }
    let duplicates: Duplicate[]
    try {
      duplicates = await socket.duplicate(shards.length, spareDuplicates)
    } catch (cause) {
      this.#assertOpen()
      if (isDenied(cause)) throw fromSystemError(cause as NodeJS.ErrnoException, 'listening on', endpoint)
      throw new TransportError(
        'ERR_IO',
        `listening on ${endpoint}: a helper process is needed to share the socket between threads, and it failed. See the cause.`,
        { cause, endpoint },
      )
    }
    if (this.#closing !== undefined) {
      for (const one of duplicates) one.discard()
      this.#assertOpen()
    }
    // allSettled, so that nothing goes on after this has rejected.
    const results = await Promise.allSettled(
      shards.map((shard, i) => {
        const duplicate = duplicates[i]
        if (duplicate === undefined) throw new Error('a duplicate is missing')
        if (!shard.isUp) {
          duplicate.discard()
          return Promise.reject(new TransportError('ERR_SHARD_LOST', 'the worker thread died meanwhile.'))
        }
        const fd = duplicate.give()
        void shard.ended.then(() => socket.reclaim(duplicate))
        return use(shard, { ...target, fd })
      }),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}

function bind(path: string, endpoint: string, ledger: Ledger): BoundSocket {
  try {
    return new BoundSocket(path, ledger)
  } catch (error) {
    throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
  }
}
