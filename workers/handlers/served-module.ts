/** One handler module that serves connections of this shard, accepted or dialled: from its set-up to its teardown. */
import { NOBODY } from '../../engine/common/diagnostics.js'
import { Deferred } from '../../engine/common/deferred.js'
import { describe, isObject } from '../../engine/common/describe.js'
import type { HandlerContext, HandlerModule } from '../../engine/common/handler-module.js'
import { attempt, HandlerFailures } from '../../engine/common/handler-failures.js'
import { callsOver, type Calls } from '../../engine/calls/calls-over.js'
import type { AnyFunctions } from '../../engine/calls/remote-functions.js'
import { serveCalls } from '../../engine/calls/serve-calls.js'
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import type { HandshakeLane } from '../../engine/connection/handshake-lane.js'
import type { ConnectionIdentity, LaneConnection } from '../../engine/connection/lane-connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { deserializeError, TransportError } from '../../engine/protocol/errors.js'
import type { HandlerEnd, Handling } from '../../engine/protocol/handling.js'
import { transportTraits, type Role, type TransportKind } from '../../engine/protocol/target.js'
import { laneEnd } from '../lanes/framed-wire.js'
import type { LaneEnd, Wire } from '../wire.js'
import { bounded } from './bounded.js'
import { loadFailure, type HandlerModules } from './handler-modules.js'
import type { HandlerReports } from './handler-reports.js'
import type { ServedLanes, TakenLane } from './served-lanes.js'
import type { ServedMemory } from './served-memory.js'

/** What all modules that serve in a shard have in common. */
export interface ServingEnvironment {
  readonly shard: number
  readonly generation: number
  readonly lanes: ServedLanes
  readonly memory: ServedMemory
  readonly modules: HandlerModules
  readonly clock: Clock
}

interface ServedModuleParts {
  readonly handling: Handling
  /** What its connections are. */
  readonly transport: TransportKind
  readonly role: Role
  readonly reports: HandlerReports
}

/** A lane that is about to get its wire. */
export interface ServedLane extends TakenLane {
  readonly end: LaneEnd
}

type State =
  | { readonly kind: 'setting up' }
  | { readonly kind: 'open'; readonly module: HandlerModule }
  /** There will be no other connection. `module` undefined: it was never set up. */
  | { readonly kind: 'closed'; readonly module: HandlerModule | undefined }

export class ServedModule {
  readonly #handling: Handling
  readonly #transport: TransportKind
  readonly #environment: ServingEnvironment
  readonly #reports: HandlerReports
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
  /** Resolves once all of it is over. */
  #over: Promise<void> | undefined
  #moduleState: unknown
  #state: State = { kind: 'setting up' }

  constructor({ handling, transport, role, reports }: ServedModuleParts, environment: ServingEnvironment) {
    this.#handling = handling
    this.#transport = transport
    this.#environment = environment
    this.#reports = reports
    const { kind, endpoint } = handling
    const { halfClose, hasDescriptor } = transportTraits[transport]
    this.#identity = { kind, endpoint, role, halfClose, hasDescriptor }
    this.#settings = this.#connectionSettings()
    this.#calls = callsOver<AnyFunctions>(handling.ports.host, { what: 'the main thread', endpoint })
    this.#context = this.#createContext()
  }

  /** Whether it was set up, and may get connections. */
  get isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  /** Loads the module and sets it up. Rejects with ERR_HANDLER_LOAD, or ERR_CLOSED if `close()` comes first. */
  async setUp(): Promise<void> {
    const { moduleUrl, setupTimeoutMs: ms, endpoint } = this.#handling
    const { clock } = this.#environment
    const late = (): Error => loadFailure(moduleUrl, 'was not set up in time', notDone(ms, 'setupTimeoutMs', endpoint))
    try {
      const { signal } = this.#closing
      const module = await bounded(this.#loadAndSetUp(moduleUrl), { clock, ms, late, signal })
      if (this.#state.kind === 'setting up') this.#state = { kind: 'open', module }
    } catch (error) {
      if (this.#state.kind === 'setting up') this.#state = { kind: 'closed', module: undefined }
      this.#abort()
      // Nothing may ever read from it, and then what main has sent last would keep it.
      this.#handling.ports.api.close()
      throw error
    }
    if (!this.isOpen) throw this.#closed()
  }

  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY; then nothing was taken. */
  takeLane(): ServedLane {
    const { role } = this.#identity
    const { connection } = this.#handling
    const lane = this.#environment.lanes.take(this.#transport, role, connection.initialRingBytes)
    return { ...lane, end: laneEnd(lane.pump, connection.framing) }
  }

  /** The lane never got a wire. */
  abandon(lane: ServedLane): void {
    this.#environment.lanes.abandon(lane)
  }

  /** A lane that has its wire, before there is a connection. */
  beginHandshake({ grant, end }: ServedLane, wire: Wire): HandshakeLane {
    const lane = this.#environment.lanes.shake(grant, this.#settings, this.#identity)
    end.attach(wire)
    return lane
  }

  /** Resolves with the connection that comes of it. Rejects with ERR_HANDSHAKE, or as the lane. */
  shake(lane: HandshakeLane, wanted: 'socket' | 'shared'): Promise<LaneConnection> {
    const { lanes, memory } = this.#environment
    const { initialRingBytes, maxRingBytes } = this.#handling.connection
    const shared = memory.over(lanes, initialRingBytes, maxRingBytes)
    if (this.#identity.role === 'dialled') return shared.dial(lane, this.#settings, this.#identity, wanted)
    return shared.accept(lane, this.#settings, this.#identity, wanted)
  }

  /** The connection over a lane, which gets its wire. */
  connect({ grant, end }: ServedLane, wire: Wire): LaneConnection {
    const connection = this.#environment.lanes.connect(grant, this.#settings, this.#identity)
    end.attach(wire)
    return connection
  }

  /** Has the module serve a new connection. `onEnded` is called once, when it has ended. */
  serve(connection: LaneConnection, onEnded: () => void): void {
    this.#onOpened(connection, onEnded)
    const state = this.#state
    if (state.kind === 'open') this.#environment.lanes.doorbell.run(() => this.#serve(connection, state.module))
    else connection.destroy(this.#closed())
  }

  /** It gets no connection from here on. Open ones live on. */
  close(): void {
    const state = this.#state
    if (state.kind !== 'open' && state.kind !== 'setting up') return
    this.#state = { kind: 'closed', module: state.kind === 'open' ? state.module : undefined }
    this.#abort()
  }

  /** Resolves once handlers are done with what had come until now. */
  async settle(): Promise<void> {
    await Promise.all([...this.#open].flatMap((connection) => connection.settle() ?? []))
  }

  /** Resolves once no connection is left and the module was torn down. After `close()`. */
  end(end: HandlerEnd): Promise<void> {
    if (end.how === 'destroy') {
      const error = deserializeError(end.error, this.#identity.endpoint)
      for (const connection of this.#open) connection.destroy(error)
      this.#cut.resolve()
    } else if (end.how === 'close') {
      for (const connection of this.#open) {
        const close = (): unknown => connection.close()
        if (end.when === 'now') close()
        else void Promise.resolve(connection.settle()).then(close)
      }
    }
    this.#over ??= this.#finish()
    return this.#over
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

  async #finish(): Promise<void> {
    await this.#emptied()
    if (this.#state.kind === 'closed' && this.#state.module !== undefined) await this.#tearDown(this.#state.module)
    this.#calls.close(this.#closed())
    // Main closes the other port: closed from here, it would look as if the thread had died.
    await this.#reports.flushed()
  }

  /** Resolves once no connection is left, and handlers are done with them; late ones are not waited for for ever. */
  async #emptied(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#empty.push(resolve))
    if (this.#atWork.size === 0) return
    const { teardownTimeoutMs: ms, endpoint } = this.#handling
    const { clock } = this.#environment
    const done = Promise.race([Promise.allSettled(this.#atWork), this.#cut.promise])
    await bounded(done, { clock, ms, late: () => notDone(ms, 'teardownTimeoutMs', endpoint) }).catch(
      (cause: unknown) => {
        const message = 'handlers were still at work when their module was torn down. See the cause.'
        this.#reports.failed('module', message, cause, undefined)
      },
    )
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
      serveCalls(this.#handling.ports.api, api ?? {})
    } catch (cause) {
      await this.#tearDown(module)
      throw loadFailure(moduleUrl, 'failed in its api()', cause)
    }
    // It was given up meanwhile, and holds by now what it has opened.
    if (this.#isGivenUp()) await this.#tearDown(module)
    return module
  }

  #isGivenUp(): boolean {
    return this.#state.kind !== 'setting up'
  }

  /** Bounded; what goes wrong is reported. */
  async #tearDown({ teardown }: HandlerModule): Promise<void> {
    if (teardown === undefined) return
    const { teardownTimeoutMs: ms, endpoint } = this.#handling
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
    this.#closing.abort(this.#closed())
  }

  #onOpened(connection: LaneConnection, onEnded: () => void): void {
    const { id } = connection.info
    this.#open.add(connection)
    this.#reports.opened(id)
    void connection.ended.then(({ cause }) => {
      this.#open.delete(connection)
      onEnded()
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

  #closed(): TransportError {
    const { role, endpoint } = this.#identity
    const message = role === 'accepted' ? 'the listener was closed.' : 'the connection was closed.'
    return new TransportError('ERR_CLOSED', message, { endpoint })
  }

  #connectionSettings(): ConnectionSettings {
    const { clock } = this.#environment
    const { connection } = this.#handling
    const failures = new HandlerFailures(clock, (error, { where, connection: id }) => {
      this.#reports.failed(where, error.message, error.cause, id)
    })
    return {
      ...connection,
      engine: NOBODY,
      // The thread that writes is the one that owns the socket.
      inlineWrites: 'never',
      inlineWriteBytes: 0,
      failures,
      onOutlived: (done) => this.#attend(done),
      clock,
    }
  }

  #createContext(): HandlerContext {
    const handling = this.#handling
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
