/** A listener whose connections are served inside the shards, by a handler module. */
import { readGraceMs, graceMs } from '../common/call-options.js'
import type { Connection } from '../common/connection.js'
import { Deferred } from '../common/deferred.js'
import { events } from '../common/diagnostics.js'
import { handlerError, type HandlerFailures } from '../common/handler-failures.js'
import type { Ledger } from '../common/ledger.js'
import { within } from '../common/within.js'
import type { HandlerModuleSettings } from '../handling/handler-module-settings.js'
import { ServingShard } from '../handling/serving-shard.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError, serializeError } from '../protocol/errors.js'
import { HandlerCounts } from '../protocol/handler-counts.js'
import type { HandledConnectionSettings, HandledHandshake, HandlerEnd } from '../protocol/handling.js'
import type { Shard } from '../shard/shard.js'
import type {
  HandlerListener,
  HandlerOnShard,
  ListenerClosed,
  ListenerCloseOptions,
  ListenerStats,
} from './listener.js'
import type { ListenerHold } from './listener-hold.js'
import { ListenerLife } from './listener-life.js'
import type { ShardListening } from './shard-listening.js'

interface ModuleListenerSettings {
  readonly engine: string
  readonly id: number
  readonly kind: string
  readonly endpoint: string
  readonly maxConnections: number
  /** How many shards there are. */
  readonly shards: number
  readonly module: HandlerModuleSettings
  readonly connection: HandledConnectionSettings
  readonly handshake: HandledHandshake | undefined
  readonly failures: HandlerFailures
  readonly ledger: Ledger
  readonly clock: Clock
  /** Takes the listener off its shards. */
  readonly release: () => Promise<void>
  /** Whether it keeps the process alive. */
  readonly hold: ListenerHold
}

export class ModuleListener implements HandlerListener {
  readonly endpoint: string
  readonly closed: Promise<ListenerClosed>
  readonly #settings: ModuleListenerSettings
  readonly #counts: HandlerCounts
  readonly #serving = new Map<Shard, ServingShard>()
  readonly #drained = new Deferred<void>()
  readonly #life: ListenerLife

  constructor(settings: ModuleListenerSettings) {
    this.endpoint = settings.endpoint
    this.#settings = settings
    this.#life = new ListenerLife({ engine: settings.engine, endpoint: settings.endpoint }, settings.release)
    this.closed = this.#life.closed
    void this.closed.then(() => this.#drain())
    this.#counts = HandlerCounts.forShards(settings.shards)
  }

  get isOpen(): boolean {
    return this.#life.isOpen
  }

  /** Settles once it is closed, no connection of it is left on any shard, and its module was torn down on each. */
  get drained(): Promise<void> {
    return this.#drained.promise
  }

  get handlers(): readonly HandlerOnShard[] {
    const handlers = [...this.#serving.values()].map(({ shard, api }) => {
      const { index, generation } = shard
      return { shard: index, generation, api }
    })
    // They have come in any order.
    return handlers.sort((one, other) => one.shard - other.shard)
  }

  // eslint-disable-next-line require-yield
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    await Promise.reject(this.#isServed())
  }

  accept(): Promise<Connection | undefined> {
    return Promise.reject(this.#isServed())
  }

  ref(): this {
    this.#settings.hold.setWanted(true)
    return this
  }

  unref(): this {
    this.#settings.hold.setWanted(false)
    return this
  }

  stats(): ListenerStats {
    return { ...this.#counts.sum, queued: 0 }
  }

  async close(options: ListenerCloseOptions = {}): Promise<ListenerClosed> {
    const grace = readGraceMs(options, graceMs.listener)
    const atWork = grace === 0 ? [] : this.settle()
    const closing = this.#life.end({ code: 'OK' })
    if (atWork.length > 0) await within(this.#settings.clock, grace, Promise.all(atWork))
    return closing
  }

  /** For each shard: resolves once handlers there are done with what has come until now. */
  settle(): readonly Promise<void>[] {
    const { id } = this.#settings
    return [...this.#serving.keys()].map((shard) => shard.serving.settle(id))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Serves on a shard, and ends that again. */
  readonly on = (shard: Shard): ShardListening => ({
    listen: async ({ listenerId, target, backlog }, socket) => {
      const { module, kind, endpoint, failures, connection, handshake, maxConnections, ledger } = this.#settings
      const { onLog, host, ...loaded } = module
      const serving = new ServingShard({ shard, kind, endpoint, role: 'accepted', failures, onLog, host })
      const { ports } = serving
      const handling = { ...loaded, kind, endpoint, connection, handshake, ports }
      const { words: counts } = this.#counts
      const request = { servedId: listenerId, target, backlog, handling, maxConnections, counts }
      let isServing = false
      try {
        const outcome = await shard.serving.serve(request, socket, (report) => serving.onReport(report))
        isServing = outcome.ok && shard.isUp
        return outcome
      } finally {
        if (isServing) {
          ledger.open('handlers')
          this.#serving.set(shard, serving)
        } else {
          serving.end(shard.isUp ? this.#isClosed() : this.#isLost())
        }
      }
    },
    unlisten: (listenerId) => shard.serving.unserve(listenerId),
    abandon: (listenerId) => void shard.serving.unserve(listenerId),
    resume: () => Promise.resolve({ ok: true }),
  })

  /** `listen()` has failed: what shards have set up by then is torn down. */
  neverOpened(): void {
    this.#drain()
  }

  /** The shard has died, and its connections with it. */
  onSourceLost(shard: Shard): void {
    this.#counts.lost(shard.index)
    this.#forget(shard, this.#isLost())
  }

  /** The shard cannot serve yet, and tries again. If that is the module's doing, somebody has to mend it. */
  onNotServed({ index: shard, generation }: Shard, cause: unknown): void {
    if (!(cause instanceof TransportError) || cause.code !== 'ERR_HANDLER_LOAD') return
    const { endpoint } = this
    const { engine } = this.#settings
    const message =
      'the handler module could not be set up on a shard that is to serve again, and will be tried again. See the cause.'
    const error = handlerError(message, cause, endpoint)
    events.handlerFailed.publish({ engine, endpoint, shard, generation, connection: undefined, error })
    this.#settings.failures.report(error, { where: 'setup', endpoint, connection: undefined })
  }

  onFailure(error: TransportError): void {
    // `closed` says how it ended; what fails while it is taken down adds nothing.
    this.#life.end({ code: error.code, cause: error }).catch(() => undefined)
  }

  /** Has its connections end. Resolves once all is gone. After `close()`. */
  async endServed(how: 'close' | TransportError): Promise<void> {
    await this.#endOnEach(how === 'close' ? { how, when: 'settled' } : { how: 'destroy', error: serializeError(how) })
  }

  #isClosed(): TransportError {
    return new TransportError('ERR_CLOSED', 'the listener was closed.', { endpoint: this.endpoint })
  }

  #isLost(): TransportError {
    const message = 'the worker thread that served this connection has died.'
    return new TransportError('ERR_SHARD_LOST', message, { endpoint: this.endpoint })
  }

  #isServed(): TransportError {
    const message = 'a handler module serves the connections of this listener, in the shards.'
    return new TransportError('ERR_CONSUMER_BUSY', message, { endpoint: this.endpoint })
  }

  #drain(): void {
    void this.#endOnEach({ how: 'drain' }).then(() => this.#drained.resolve())
  }

  async #endOnEach(end: HandlerEnd): Promise<void> {
    const endOn = async (shard: Shard): Promise<void> => {
      await shard.serving.end(this.#settings.id, end)
      this.#forget(shard, this.#isClosed())
    }
    await Promise.all([...this.#serving.keys()].map(endOn))
  }

  #forget(shard: Shard, why: TransportError): void {
    const serving = this.#serving.get(shard)
    if (serving === undefined) return
    this.#serving.delete(shard)
    serving.end(why)
    this.#settings.ledger.release('handlers')
  }
}
