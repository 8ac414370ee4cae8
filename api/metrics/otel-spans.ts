/**
 * Attempts to connect, and the times without a connection of those that reconnect, as OpenTelemetry spans. What is used
 * of its interfaces is written out here, so that `@opentelemetry/api` is not needed by hosts that do not use it.
 */
import { diagnosticsChannels as channels, observe } from '../../engine/common/diagnostics.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { ConnectingEvent, DiagnosticsEvents, EngineEvent, ReconnectingEvent } from '../index.js'
import type { ObservedEngine } from './engine-source.js'
import { assertEngine, commonChecks, DEFAULT_PREFIX, has } from './options.js'

export type OtelAttributes = Record<string, string | number>

/** A span of `@opentelemetry/api`. */
export interface OtelSpan {
  setAttributes(attributes: OtelAttributes): unknown
  addEvent(name: string, attributes: OtelAttributes): unknown
  setStatus(status: { code: number; message: string }): unknown
  end(): void
}

/** A tracer of `@opentelemetry/api`. */
export interface OtelTracer {
  startSpan(name: string, options: { kind: number; attributes: OtelAttributes }): OtelSpan
}

export interface OtelSpansOptions {
  /** `trace.getTracer('symphony-transport')`, say. */
  readonly tracer: OtelTracer
  /** Of each attribute but `error.type`. Default: `symphony_transport`. */
  readonly prefix?: string | undefined
  /** Value of the attribute `engine`. Default: `engine.id`. */
  readonly name?: string | undefined
}

/** Of those whose events belong to a span `reconnect`. */
type ReconnectingChannel = {
  [Name in keyof DiagnosticsEvents]: DiagnosticsEvents[Name] extends ReconnectingEvent ? Name : never
}[keyof DiagnosticsEvents]

/** `SpanKind.CLIENT` and `SpanStatusCode.ERROR`. */
const CLIENT = 2
const ERROR = 2

const checks = {
  name: commonChecks.name,
  prefix: commonChecks.prefix,
  tracer: has('startSpan'),
} satisfies Checks

/**
 * Makes a span `connect KIND` of each attempt to connect, also of pools and of reconnecting connections, and a span
 * `reconnect` of each time in which a reconnecting connection has no connection, with its attempts as events. A span of
 * `connect()` is a child of the span that is active where it was called. `stop()` ends it, and so does the end of the
 * engine; spans that are open then are ended.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function otelSpans(engine: ObservedEngine, options: OtelSpansOptions): { stop(): void } {
  assertEngine(engine, 'otelSpans()')
  const {
    tracer,
    prefix = DEFAULT_PREFIX,
    name = engine.id,
  } = readOptions<OtelSpansOptions>(options, checks, 'otelSpans()')
  if ((tracer as OtelTracer | undefined) === undefined)
    throw new TransportError('ERR_INVALID_OPTION', 'otelSpans(): give a tracer of @opentelemetry/api.')
  const attributes = (own: OtelAttributes): OtelAttributes =>
    Object.fromEntries(Object.entries(own).map(([key, value]) => [`${prefix}.${key}`, value]))
  const connects = new OpenSpans<number>()
  const reconnects = new OpenSpans<string>()
  /** Reconnecting connections that have ended in this turn. */
  const over = new Set<string>()
  let isStopped = false
  const begin = (what: string, own: OtelAttributes): OtelSpan =>
    tracer.startSpan(what, { kind: CLIENT, attributes: attributes({ engine: name, ...own }) })
  const beginConnect = ({ attempt, kind, endpoint }: ConnectingEvent): void =>
    connects.set(attempt, begin(`connect ${kind}`, { kind, endpoint }))
  const reconnectOf = ({ id, endpoint }: ReconnectingEvent): OtelSpan => {
    const known = reconnects.get(id)
    if (known !== undefined) return known
    const span = begin('reconnect', { id, endpoint })
    reconnects.set(id, span)
    return span
  }
  const on = <Name extends keyof DiagnosticsEvents>(
    channel: Name,
    observer: (event: DiagnosticsEvents[Name]) => void,
  ): (() => void) => observe(channel, (event) => !isStopped && ofThis(engine, event) && observer(event))
  // An observer before this one may end the connection because of an event: then its end is heard of first.
  const onReconnecting = <Name extends ReconnectingChannel>(
    channel: Name,
    observer: (event: DiagnosticsEvents[Name]) => void,
  ): (() => void) => on(channel, (event) => over.has(event.id) || observer(event))
  const stops = [
    on(channels.connectStarted, beginConnect),
    on(channels.connectSettled, ({ attempt, code, cause }) => connects.end(attempt, code, cause)),
    onReconnecting(channels.reconnectingAttempt, (event) => {
      reconnectOf(event).addEvent('attempt', attributes({ attempt: event.attempt }))
    }),
    onReconnecting(channels.reconnectingFailed, (event) => {
      const { error } = event
      // There is no span of one that was begun before anybody observed.
      const fault = { 'error.type': codeOf(error), 'exception.message': error.message }
      reconnects.get(event.id)?.addEvent('attempt failed', fault)
    }),
    onReconnecting(channels.reconnectingConnected, (event) => {
      reconnectOf(event).setAttributes(attributes({ attempts: event.attempt }))
      reconnects.end(event.id, 'OK', undefined)
    }),
    onReconnecting(channels.reconnectingLost, (event) => {
      const { code, handedOver, unconfirmed, resent, dropped, lost } = event
      // Of the last one there is no span, unless it had none and was trying.
      if (event.isFinal && reconnects.get(event.id) === undefined) return
      const fates = attributes({ handed_over: handedOver, unconfirmed, resent, dropped, lost })
      reconnectOf(event).addEvent('lost', { ...fates, ...errorType(code) })
    }),
    on(channels.reconnectingClosed, ({ id, code, cause }) => {
      reconnects.end(id, code, cause)
      over.add(id)
      queueMicrotask(() => over.delete(id))
    }),
    on(channels.engineClosed, () => stop()),
  ]
  const stop = (): void => {
    isStopped = true
    for (const end of stops.splice(0)) end()
    connects.endAll()
    reconnects.endAll()
  }
  return { stop }
}

/** Spans that were begun and not ended, by what tells them apart. */
class OpenSpans<Key> {
  readonly #spans = new Map<Key, OtelSpan>()

  get(key: Key): OtelSpan | undefined {
    return this.#spans.get(key)
  }

  set(key: Key, span: OtelSpan): void {
    this.#spans.set(key, span)
  }

  /** Nothing, if it was begun before anybody observed. */
  end(key: Key, code: string, cause: Error | undefined): void {
    const span = this.#spans.get(key)
    if (span === undefined) return
    this.#spans.delete(key)
    if (code !== 'OK') {
      span.setAttributes(errorType(code))
      span.setStatus({ code: ERROR, message: cause?.message ?? code })
    }
    span.end()
  }

  endAll(): void {
    for (const span of this.#spans.values()) span.end()
    this.#spans.clear()
  }
}

function ofThis(engine: ObservedEngine, event: EngineEvent): boolean {
  return event.engine === engine.id
}

function codeOf(error: Error): string {
  return error instanceof TransportError ? error.code : error.name
}

function errorType(code: string): OtelAttributes {
  return code === 'OK' ? {} : { 'error.type': code }
}
