/** One listener on its shards, with what its transport needs for that: a socket, a file, descriptors. */
import { deserializeError, TransportError } from '../protocol/errors.js'
import type { Ledger } from '../common/ledger.js'
import { isAbstract, isBoundByMain, isBoundByShard, type ListenTarget } from '../protocol/target.js'
import { BoundSocket } from '../sockets/bound-socket.js'
import type { Shard } from '../shard/shard.js'
import { ShardBoundSocket } from './shard-bound-socket.js'
import type { BindingSettings } from './shard-listening.js'
import { prepareSocketFile, type SocketFile } from '../sockets/socket-file.js'

export class ShardBindings {
  readonly #settings: BindingSettings
  readonly #file: SocketFile | undefined
  readonly #socket: BoundSocket | undefined
  readonly #shards = new Set<Shard>()
  readonly #joining = new Set<Shard>()
  /** What shards are about to do: each may hold a duplicate of the socket until it has answered. */
  readonly #steps = new Set<Promise<void>>()
  /** `listen()` has not rejected: the socket is the listener's. */
  #isOpen = false
  #closing: Promise<void> | undefined

  private constructor(settings: BindingSettings, file: SocketFile | undefined, socket: BoundSocket | undefined) {
    this.#settings = settings
    this.#file = file
    this.#socket = socket
  }

  /** Listens on all of the shards, or on none. An abort closes it. */
  static async open(
    shards: readonly Shard[],
    given: BindingSettings,
    ledger: Ledger,
    signal: AbortSignal,
  ): Promise<ShardBindings> {
    const { target, endpoint } = given
    const settings = isBoundByShard(target) ? { ...given, on: new ShardBoundSocket(given, ledger).on } : given
    const file =
      isBoundByMain(target) && target.kind === 'unix' && !isAbstract(target)
        ? await prepareSocketFile(target, settings.mode, endpoint)
        : undefined
    let listening: ShardBindings | undefined
    try {
      const socket = socketFor(target, endpoint, file, ledger)
      const opening = new ShardBindings(settings, file, socket)
      listening = opening
      // It may have been aborted while the file was prepared.
      if (signal.aborted) opening.#abort()
      else signal.addEventListener('abort', () => opening.#abort(), { once: true })
      await opening.join(shards)
      await file?.publish()
      opening.#isOpen = true
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
    if (shards.length === 0) return
    const { listenerId, target, backlog, framing, maxQueued, endpoint, on } = this.#settings
    const join = async (shard: Shard): Promise<void> => {
      const request = { listenerId, target, backlog, framing, maxQueued }
      this.#joining.add(shard)
      const listening = on(shard).listen(request, this.#socket)
      const outcome = await listening.finally(() => this.#joining.delete(shard))
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
      if (this.#closing !== undefined) await on(shard).unlisten(listenerId)
      else this.#shards.add(shard)
    }
    const failures: unknown[] = []
    const joinOrGiveUp = async (shard: Shard): Promise<void> => {
      try {
        await join(shard)
      } catch (error) {
        failures.push(error)
        // It is of no use any more that the others go on, which may take long.
        for (const other of shards) if (this.#joining.has(other)) on(other).abandon?.(listenerId)
      }
    }
    // To the end of each, so that nothing goes on after this has rejected.
    await this.#whileOpen(async () => {
      await Promise.all(shards.map(joinOrGiveUp))
      // The first: what was given up failed for no other reason.
      if (failures.length > 0) throw failures[0]
    })
  }

  /** Lets a shard that had stopped accepting go on. */
  async resume(shard: Shard): Promise<void> {
    const { listenerId, target, endpoint, on } = this.#settings
    await this.#whileOpen(async () => {
      const outcome = await on(shard).resume(listenerId, target, this.#socket)
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
    })
  }

  /** The shard is gone, and with it what it had accepted. */
  forget(shard: Shard): void {
    this.#shards.delete(shard)
    this.#settings.on(shard).lost?.()
  }

  /** Also of one that has just been opened, and that nobody gets. */
  #abort(): void {
    this.#isOpen = false
    void this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { listenerId, on } = this.#settings
    for (const shard of this.#joining) on(shard).abandon?.(listenerId)
    await Promise.all([...this.#shards].map((shard) => on(shard).unlisten(listenerId)))
    // The file goes before the socket closes: until then no other process takes it for stale and replaces it.
    await this.#file?.remove()
    this.#socket?.close(this.#isOpen ? 'closed' : 'never opened')
    // An abstract name is free only once no shard has a duplicate any more.
    await Promise.allSettled(this.#steps)
  }

  /** @throws {TransportError} ERR_CLOSED for whatever fails because of that. */
  async #whileOpen(step: () => Promise<void>): Promise<void> {
    this.#assertOpen()
    const stepping = step()
    this.#steps.add(stepping)
    try {
      await stepping
    } catch (error) {
      this.#assertOpen()
      throw error
    } finally {
      this.#steps.delete(stepping)
    }
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return
    const { endpoint } = this.#settings
    throw new TransportError('ERR_CLOSED', 'the listener was closed meanwhile.', { endpoint })
  }
}

/** What main holds for the shards; undefined: each has its own. @throws {TransportError} */
function socketFor(
  target: ListenTarget,
  endpoint: string,
  file: SocketFile | undefined,
  ledger: Ledger,
): BoundSocket | undefined {
  if (!isBoundByMain(target)) return undefined
  if (target.kind === 'fd') return BoundSocket.inherit(target.fd, endpoint, ledger)
  return BoundSocket.bind(file?.bindPath ?? target.path, endpoint, file?.folder, ledger)
}
