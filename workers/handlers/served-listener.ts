/** One listener whose connections this shard serves itself, with a handler module: from its set-up to its teardown. */
import { Deferred } from '../../engine/common/deferred.js'
import { describe, isObject } from '../../engine/common/describe.js'
import type { HandlerContext, HandlerModule } from '../../engine/common/handler-module.js'
import { attempt, HandlerFailures } from '../../engine/common/handler-failures.js'
import { callsOver, type Calls } from '../../engine/calls/calls-over.js'
import type { AnyFunctions } from '../../engine/calls/remote-functions.js'
import { serveCalls } from '../../engine/calls/serve-calls.js'
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import type { ConnectionIdentity, LaneConnection } from '../../engine/connection/lane-connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import type { ServeRequest } from '../../engine/protocol/control.js'
import { deserializeError, TransportError } from '../../engine/protocol/errors.js'
import { HandlerCounts } from '../../engine/protocol/handler-counts.js'
import type { HandlerEnd } from '../../engine/protocol/handling.js'
import { transportTraits } from '../../engine/protocol/target.js'
import { laneEnd } from '../lanes/framed-wire.js'
import type { AcceptedPeer, ListenHandle } from '../shard-transport.js'
import { bounded } from './bounded.js'
import { loadFailure, type HandlerModules } from './handler-modules.js'
import type { HandlerReports } from './handler-reports.js'
import type { ServedLanes } from './served-lanes.js'

/** What all listeners that a shard serves have in common. */
export interface ServingEnvironment {
  readonly shard: number
  readonly generation: number
  readonly lanes: ServedLanes
  readonly modules: HandlerModules
  readonly clock: Clock
}

type State =
  | { readonly kind: 'setting up' }
  | { readonly kind: 'open'; readonly module: HandlerModule; readonly handle: ListenHandle | undefined }
  /** Nothing is accepted any more. `module` undefined: it was never set up. */
  | { readonly kind: 'closed'; readonly module: HandlerModule | undefined }
  /** The module is being torn down, or was. */
  | { readonly kind: 'over'; readonly over: Promise<void> }

export class ServedListener {
  readonly #request: ServeRequest
  readonly #environment: ServingEnvironment
  readonly #reports: HandlerReports
  readonly #counts: HandlerCounts
  readonly #settings: ConnectionSettings
  readonly #identity: ConnectionIdentity
  readonly #context: HandlerContext
  readonly #calls: Calls<AnyFunctions>
  readonly #closing = new AbortController()
  readonly #open = new Set<LaneConnection>()
  /** Handlers that are not done, also of connections that have ended. */
  readonly #atWork = new Set<Promise<unknown>>()
  readonly #empty: (() => void)[] = []
  /** Handlers are not waited for any more. */
  readonly #cut = new Deferred<void>()
  #moduleState: unknown
  #state: State = { kind: 'setting up' }

  constructor(request: ServeRequest, environment: ServingEnvironment, reports: HandlerReports) {
    this.#request = request
    this.#environment = environment
    this.#reports = reports
    const { handling, target } = request
    const { halfClose, hasDescriptor } = transportTraits[target.kind]
    this.#counts = new HandlerCounts(handling.counts)
    this.#identity = { kind: handling.kind, endpoint: handling.endpoint, role: 'accepted', halfClose, hasDescriptor }
    this.#settings = this.#connectionSettings()
    this.#calls = callsOver<AnyFunctions>(handling.ports.host, {
      what: 'the main thread',
      endpoint: handling.endpoint,
    })
    this.#context = this.#createContext()
  }

  get isAccepting(): boolean {
    return this.#state.kind === 'open'
  }

  /** Loads the module and sets it up. Rejects with ERR_HANDLER_LOAD, or ERR_CLOSED if `close()` comes first. */
  async setUp(): Promise<void> {
    const { moduleUrl, setupTimeoutMs: ms, endpoint } = this.#request.handling
    const { clock } = this.#environment
    const late = (): Error => loadFailure(moduleUrl, 'was not set up in time', notDone(ms, 'setupTimeoutMs', endpoint))
    try {
      const { signal } = this.#closing
      const module = await bounded(this.#loadAndSetUp(moduleUrl), { clock, ms, late, signal })
      if (this.#state.kind === 'setting up') this.#state = { kind: 'open', module, handle: undefined }
    } catch (error) {
      if (this.#state.kind === 'setting up') this.#state = { kind: 'closed', module: undefined }
      this.#abort()
      // Nothing may ever read from it, and then what main has sent last would keep it.
      this.#request.handling.ports.api.close()
      throw error
    }
    this.#assertOpen()
  }

  /** It listens, and may have accepted some already. */
  onListening(handle: ListenHandle): void {
    if (this.#state.kind === 'open') this.#state = { ...this.#state, handle }
    else void handle.close()
  }

  onAccepted(peer: AcceptedPeer): void {
    const state = this.#state
    const { shard, lanes } = this.#environment
    const { target, handling } = this.#request
    if (state.kind !== 'open' || !this.#counts.tryOpen(shard, handling.maxConnections)) {
      this.#refuse(peer)
      return
    }
    let opened: ReturnType<ServedLanes['open']>
    try {
      opened = lanes.open(target.kind, handling.connection.initialRingBytes, this.#settings, this.#identity)
    } catch {
      // No lane or no memory is left. The peer sees the cut; the count says how often it happened.
      this.#counts.refuseOpened(shard)
      this.#refuse(peer)
      return
    }
    const { pump, connection } = opened
    this.#onOpened(connection)
    const end = laneEnd(pump, this.#settings.framing)
    end.attach(peer.adopt(end))
    lanes.doorbell.run(() => this.#serve(connection, state.module))
  }

  #serve(connection: LaneConnection, module: HandlerModule): void {
    attempt(
      () => {
        const pending = connection.attend(module.serve(connection, this.#context))
        if (pending !== undefined) this.#attend(pending)
        return pending
      },
      (cause) => connection.handlerFailed('module', 'the handler module', cause),
    )
  }

  /** Accepts nothing from here on. Open connections live on. */
  async close(): Promise<void> {
    const state = this.#state
    if (state.kind !== 'open' && state.kind !== 'setting up') return
    this.#state = { kind: 'closed', module: state.kind === 'open' ? state.module : undefined }
    this.#abort()
    if (state.kind === 'open') await state.handle?.close()
  }

  /** Resolves once handlers are done with what had come until now. */
  async settle(): Promise<void> {
    await Promise.all([...this.#open].flatMap((connection) => connection.settle() ?? []))
  }

  /** Resolves once no connection is left and the module was torn down. After `close()`. */
  async end(end: HandlerEnd): Promise<void> {
    if (end.how === 'destroy') {
      const error = deserializeError(end.error, this.#identity.endpoint)
      for (const connection of this.#open) connection.destroy(error)
      this.#cut.resolve()
    } else if (end.how === 'close') {
      for (const connection of this.#open) {
        const close = (): unknown => connection.close()
        void Promise.resolve(connection.settle()).then(close)
      }
    }
    await this.#emptied()
    await this.#tearDownOnce()
    // Main closes the port of calls to the module: for it, one that closes by itself is that of a dead thread.
    this.#calls.close(closedMeanwhile(this.#identity.endpoint))
    await this.#reports.flushed()
  }

  /** Resolves once no connection is left, and handlers are done with them; late ones are not waited for for ever. */
  async #emptied(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#empty.push(resolve))
    if (this.#atWork.size === 0) return
    const { teardownTimeoutMs: ms, endpoint } = this.#request.handling
    const { clock } = this.#environment
    const done = Promise.race([Promise.allSettled(this.#atWork), this.#cut.promise])
    await bounded(done, { clock, ms, late: () => notDone(ms, 'teardownTimeoutMs', endpoint) }).catch(
      (cause: unknown) => {
        const message = 'handlers were still at work when their module was torn down. See the cause.'
        this.#reports.failed('module', message, cause, undefined)
      },
    )
  }

  #tearDownOnce(): Promise<void> {
    const state = this.#state
    if (state.kind === 'over') return state.over
    const module = state.kind === 'closed' ? state.module : undefined
    const over = module === undefined ? Promise.resolve() : this.#tearDown(module)
    this.#state = { kind: 'over', over }
    return over
  }

  async #loadAndSetUp(moduleUrl: string): Promise<HandlerModule> {
    const module = await this.#environment.modules.load(moduleUrl)
    if (this.#isGivenUp()) return module
    try {
      this.#moduleState = await module.setup?.(this.#context)
    } catch (cause) {
      throw loadFailure(moduleUrl, 'failed in its setup()', cause)
    }
    try {
      const api = await module.api?.(this.#context)
      if (api !== undefined && !isObject(api))
        throw new TypeError(`it returned ${describe(api)}, and no object of functions`)
      serveCalls(this.#request.handling.ports.api, api ?? {})
    } catch (cause) {
      await this.#tearDown(module)
      throw loadFailure(moduleUrl, 'failed in its api()', cause)
    }
    // It was given up meanwhile, and holds by now what it has opened.
    if (this.#isGivenUp()) await this.#tearDown(module)
    return module
  }

  #assertOpen(): void {
    if (this.#state.kind !== 'open') throw closedMeanwhile(this.#identity.endpoint)
  }

  #isGivenUp(): boolean {
    return this.#state.kind !== 'setting up'
  }

  /** Bounded; what goes wrong is reported. */
  async #tearDown({ teardown }: HandlerModule): Promise<void> {
    if (teardown === undefined) return
    const { teardownTimeoutMs: ms, endpoint } = this.#request.handling
    const { clock } = this.#environment
    try {
      await bounded(Promise.resolve(this.#context).then(teardown), {
        clock,
        ms,
        late: () => notDone(ms, 'teardownTimeoutMs', endpoint),
      })
    } catch (cause) {
      this.#reports.failed('teardown', 'the teardown() of the handler module failed. See the cause.', cause, undefined)
    }
  }

  #abort(): void {
    this.#closing.abort(closedMeanwhile(this.#identity.endpoint))
  }

  #onOpened(connection: LaneConnection): void {
    const { id } = connection.info
    this.#open.add(connection)
    this.#reports.opened(id)
    void connection.ended.then(({ cause }) => {
      this.#open.delete(connection)
      this.#counts.closed(this.#environment.shard)
      this.#reports.closed(id, cause instanceof TransportError ? cause : undefined)
      if (this.#open.size > 0) return
      for (const resolve of this.#empty.splice(0)) resolve()
    })
  }

  #attend(pending: Promise<unknown>): void {
    const done = (): void => void this.#atWork.delete(pending)
    this.#atWork.add(pending)
    pending.then(done, done)
  }

  #refuse(peer: AcceptedPeer): void {
    peer.reject()
    this.#reports.refused()
  }

  #connectionSettings(): ConnectionSettings {
    const { clock } = this.#environment
    const { connection } = this.#request.handling
    const failures = new HandlerFailures(clock, (error, { where, connection: id }) => {
      this.#reports.failed(where, error.message, error.cause, id)
    })
    return {
      ...connection,
      // The thread that writes is the one that owns the socket.
      inlineWrites: 'never',
      inlineWriteBytes: 0,
      failures,
      onOutlived: (done) => this.#attend(done),
      clock,
    }
  }

  #createContext(): HandlerContext {
    const { handling } = this.#request
    const { shard, generation } = this.#environment
    const stateOf = (): unknown => this.#moduleState
    return Object.freeze({
      data: handling.data,
      get state() {
        return stateOf()
      },
      endpoint: handling.endpoint,
      shard,
      generation,
      signal: this.#closing.signal,
      log: this.#reports.log,
      host: this.#calls.proxy,
    })
  }
}

function notDone(ms: number, option: string, endpoint: string): TransportError {
  return new TransportError('ERR_TIMEOUT', `it was not done after ${String(ms)} ms (${option})`, { endpoint })
}

function closedMeanwhile(endpoint: string): TransportError {
  return new TransportError('ERR_CLOSED', 'the listener was closed.', { endpoint })
}
