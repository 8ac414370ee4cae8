/** Main's side of a connection that a shard dials and serves with a handler module. */
import type { AnyFunctions, RemoteFunctions } from '../calls/remote-functions.js'
import { graceMs, readGraceMs } from '../common/call-options.js'
import type { ClosedInfo } from '../common/connection.js'
import { Deferred } from '../common/deferred.js'
import { destroyReason } from '../common/destroy-reason.js'
import type { Ledger } from '../common/ledger.js'
import { within } from '../common/within.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import { deserializeError, serializeError, TransportError } from '../protocol/errors.js'
import type { HandledHandshake } from '../protocol/handling.js'
import type { TransportTarget } from '../protocol/target.js'
import type { Shard } from '../shard/shard.js'
import { handledSettings, type HandlerModuleSettings } from './handler-module-settings.js'
import type { ServedCloseOptions, ServedConnection, ServedConnectionInfo } from './served-connection.js'
import { ServingShard } from './serving-shard.js'

export interface ModuleDial {
  /** Another one for each, also than those of listeners that shards serve. */
  readonly servedId: number
  readonly kind: string
  readonly endpoint: string
  readonly target: TransportTarget
  readonly module: HandlerModuleSettings
  readonly connection: ConnectionSettings
  readonly handshake: HandledHandshake | undefined
  readonly initialRingBytes: number
  /** How long a full backlog is tried again, in milliseconds. */
  readonly timeoutMs: number
  readonly ledger: Ledger
  /** Called with a function that gives the dial up. */
  readonly onStarted: (abort: () => void) => void
}

export class ModuleConnection implements ServedConnection {
  readonly info: ServedConnectionInfo
  readonly closed: Promise<ClosedInfo>
  /** Resolves once it has ended and its module was torn down. */
  readonly gone: Promise<void>
  readonly #request: ModuleDial
  readonly #shard: Shard
  readonly #serving: ServingShard
  readonly #closed: Deferred<ClosedInfo>
  /** Given to `destroy()`. What comes back from the shard is a copy. */
  #reason: TransportError | undefined

  private constructor(
    request: ModuleDial,
    shard: Shard,
    serving: ServingShard,
    closed: Deferred<ClosedInfo>,
    id: string,
  ) {
    const { kind, endpoint } = request
    this.info = { id, kind, endpoint, shard: shard.index, generation: shard.generation }
    this.#request = request
    this.#shard = shard
    this.#serving = serving
    this.#closed = closed
    this.closed = closed.promise.then((ended) => {
      const reason = this.#reason
      return reason?.code === ended.code ? closedInfo(reason) : ended
    })
    request.ledger.open('handlers')
    this.gone = this.#awaitEnd()
  }

  /** Rejects with ERR_HANDLER_LOAD, as the dial failed, or with the shard's death; nothing is left then. */
  static async dial(shard: Shard, request: ModuleDial): Promise<ModuleConnection> {
    const { servedId, kind, endpoint, target, module, connection, handshake, timeoutMs, ledger } = request
    const { onLog, host, ...loaded } = module
    const { failures } = connection
    const closed = new Deferred<ClosedInfo>()
    const onClosed = (cause: TransportError | undefined): void => closed.resolve(closedInfo(cause))
    const serving = new ServingShard({ shard, kind, endpoint, role: 'dialled', failures, onLog, host, onClosed })
    const settings = handledSettings(connection, request.initialRingBytes)
    const handling = { ...loaded, kind, endpoint, connection: settings, handshake, ports: serving.ports }
    ledger.open('dials')
    try {
      request.onStarted(() => void shard.serving.unserve(servedId))
      const report = serving.onReport.bind(serving)
      const outcome = await shard.serving.dial({ servedId, target, timeoutMs, handling }, report)
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
      return new ModuleConnection(request, shard, serving, closed, outcome.connection)
    } catch (error) {
      serving.end(isClosed(endpoint))
      throw error
    } finally {
      ledger.release('dials')
    }
  }

  get api(): RemoteFunctions<AnyFunctions> {
    return this.#serving.api
  }

  async close(options: ServedCloseOptions = {}): Promise<ClosedInfo> {
    const grace = readGraceMs(options, graceMs.served)
    const { servedId, connection } = this.#request
    const { serving } = this.#shard
    void serving.unserve(servedId)
    if (grace > 0) await within(connection.clock, grace, this.settle())
    void serving.end(servedId, { how: 'close', when: 'now' })
    return this.closed
  }

  destroy(reason?: Error): void {
    const { servedId, endpoint } = this.#request
    this.#reason ??= destroyReason(reason, endpoint)
    const error = serializeError(this.#reason)
    void this.#shard.serving.end(servedId, { how: 'destroy', error })
  }

  /** Resolves once its module is done with what has come until now, or the connection has ended. */
  async settle(): Promise<void> {
    await Promise.race([this.#shard.serving.settle(this.#request.servedId), this.closed])
  }

  /** The engine closes: it ends once its handler is done with what has come. */
  closeWhenSettled(): void {
    void this.#shard.serving.end(this.#request.servedId, { how: 'close', when: 'settled' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #awaitEnd(): Promise<void> {
    const { servedId, endpoint, ledger } = this.#request
    // A pending call keeps the process alive.
    await this.#shard.serving.end(servedId, { how: 'drain' })
    const why = this.#shard.isUp ? isClosed(endpoint) : isLost(endpoint)
    this.#serving.end(why)
    // Unless it was told before how it ended.
    this.#closed.resolve(closedInfo(why))
    ledger.release('handlers')
  }
}

function closedInfo(cause: TransportError | undefined): ClosedInfo {
  return cause === undefined ? { code: 'OK' } : { code: cause.code, cause }
}

function isClosed(endpoint: string): TransportError {
  return new TransportError('ERR_CLOSED', 'the connection is over.', { endpoint })
}

function isLost(endpoint: string): TransportError {
  const message = 'the worker thread that served this connection has died. Connect again: another one takes over.'
  return new TransportError('ERR_SHARD_LOST', message, { endpoint })
}
