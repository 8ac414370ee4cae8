/** A handler module that serves in one shard, as main sees it: its connections, failures and log lines. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { callsOver, type Calls } from '../calls/calls-over.js'
import type { AnyFunctions, RemoteFunctions } from '../calls/remote-functions.js'
import { serveCalls } from '../calls/serve-calls.js'
import { events, type ConnectionEvent } from '../common/diagnostics.js'
import { attempt, handlerError, type HandlerFailures } from '../common/handler-failures.js'
import type { HandlerLogEntry, OnHandlerLog } from '../common/handler-log.js'
import { deserializeError, TransportError } from '../protocol/errors.js'
import type { HandlerPorts, HandlerReport, ThrownValue } from '../protocol/handling.js'
import type { Role } from '../protocol/target.js'
import type { Shard } from '../shard/shard.js'

interface ServingShardParts {
  readonly shard: Shard
  readonly kind: string
  readonly endpoint: string
  readonly role: Role
  readonly failures: HandlerFailures
  readonly onLog: OnHandlerLog | undefined
  /** What the module can call. */
  readonly host: object
  /** Told of each connection once, with what ended it. */
  readonly onClosed?: (cause: TransportError | undefined) => void
}

export class ServingShard {
  readonly shard: Shard
  /** The shard's ends of the calls both ways. */
  readonly ports: HandlerPorts
  readonly #parts: ServingShardParts
  readonly #hostPort: MessagePort
  readonly #calls: Calls<AnyFunctions>
  /** Ids of connections that were opened and not closed yet. */
  readonly #open = new Set<string>()

  constructor(parts: ServingShardParts) {
    this.shard = parts.shard
    this.#parts = parts
    const host = new MessageChannel()
    const api = new MessageChannel()
    this.ports = { host: host.port2, api: api.port2 }
    this.#hostPort = host.port1
    serveCalls(host.port1, parts.host)
    this.#calls = callsOver<AnyFunctions>(api.port1, {
      what: 'the handler module',
      endpoint: parts.endpoint,
      // The port may close before it is known that the thread has died.
      onEnd: () => lostCall(parts.endpoint),
    })
  }

  /** What the module offers. */
  get api(): RemoteFunctions<AnyFunctions> {
    return this.#calls.proxy
  }

  onReport(report: HandlerReport): void {
    const { endpoint, failures } = this.#parts
    const { engine, index: shard, generation } = this.shard
    for (const id of report.opened) {
      this.#open.add(id)
      events.connectionOpened.publish(this.#eventOf(id))
    }
    for (const failure of report.failures) {
      const error = handlerError(failure.message, thrownError(failure.thrown), endpoint)
      const { where, connection } = failure
      events.handlerFailed.publish({ engine, endpoint, shard, generation, connection, error })
      failures.report(error, { where, endpoint, connection })
    }
    for (const line of report.logs) this.#log({ ...line, engine, endpoint, shard, generation })
    for (const { id, error } of report.closed) this.#onClosed(id, error && deserializeError(error, endpoint))
    for (let i = 0; i < report.refused; i++) events.listenerRefused.publish({ engine, endpoint })
    if (report.omitted === 0) return
    const message = `${String(report.omitted)} failures and log lines of this shard were left out: there were too many at a time`
    this.#log({ level: 'warn', message, details: undefined, at: Date.now(), engine, endpoint, shard, generation })
  }

  /** The module was torn down, or its shard is dead, and its connections with it. */
  end(error: TransportError): void {
    for (const id of this.#open) this.#onClosed(id, error)
    this.#calls.close(error)
    this.#hostPort.close()
    // They are here if the shard was never told. Nobody reads from them, and what was sent last would keep them.
    this.ports.host.close()
    this.ports.api.close()
  }

  #onClosed(id: string, cause: TransportError | undefined): void {
    this.#open.delete(id)
    this.#parts.onClosed?.(cause)
    if (!events.connectionClosed.hasSubscribers) return
    events.connectionClosed.publish({ ...this.#eventOf(id), code: cause?.code ?? 'OK', cause })
  }

  #log(entry: HandlerLogEntry): void {
    const { onLog } = this.#parts
    if (onLog === undefined) events.handlerLog.publish(entry)
    else
      attempt(
        () => onLog(entry),
        (cause) => this.#onLogFailed(cause),
      )
  }

  #onLogFailed(cause: unknown): void {
    const { endpoint, failures } = this.#parts
    const error = handlerError('onLog failed. See the cause.', cause, endpoint)
    failures.report(error, { where: 'onLog', endpoint, connection: undefined })
  }

  #eventOf(id: string): ConnectionEvent {
    const { kind, endpoint, role } = this.#parts
    const { engine, index: shard } = this.shard
    return { engine, id, kind, endpoint, role, shard }
  }
}

function lostCall(endpoint: string): TransportError {
  const message = 'the worker thread that ran this call has died. Another one takes over.'
  return new TransportError('ERR_SHARD_LOST', message, { endpoint })
}

function thrownError({ name, message, stack, code }: ThrownValue): Error {
  const error = new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return code === undefined ? error : Object.assign(error, { code })
}
