/** The bridge that a command line asks for, and what it says of it at the end. */
import { dialOverNats } from '../bridge-nats/dial-over-nats.js'
import { listenOverNats } from '../bridge-nats/listen-over-nats.js'
import { publishToNats } from '../bridge-nats/publish-to-nats.js'
import { subscribeToNats } from '../bridge-nats/subscribe-to-nats.js'
import type { Bridge, ConnectionBridgeStats, NatsInput, PublishStats, SubscribeStats } from '../bridge-nats/index.js'
import type { TransportError, Transport } from '../index.js'

type AnyStats = ConnectionBridgeStats | PublishStats | SubscribeStats

export interface BridgeRequest {
  readonly subject: string
  readonly nats: NatsInput
  readonly listen?: string
  readonly dial?: string
  readonly publish?: string
  readonly subscribe?: string
  readonly jetstream?: true
  readonly durable?: string
  readonly frame?: number
  readonly transportTo: (endpoint: string) => Transport
  readonly say: (what: string) => void
}

interface Loss {
  readonly code: string
  readonly unconfirmed: number
  readonly unsent: number
}

/** @throws {TransportError} */
export function startBridge(request: BridgeRequest): Promise<Bridge<AnyStats>> {
  const { subject, nats, listen, dial, publish, subscribe, jetstream, durable, frame: maxFrameBytes, say } = request
  const onError = ({ code, message }: TransportError): void => say(`${code}: ${message}`)
  const onLoss = ({ code, unconfirmed, unsent }: Loss): void =>
    say(`a connection has ended with ${code}: ${String(unconfirmed)} frames unconfirmed, ${String(unsent)} unsent`)
  const common = (endpoint: string) => ({ subject, nats, transport: request.transportTo(endpoint), onError })
  if (listen !== undefined) return listenOverNats({ ...common(listen), onLoss, maxFrameBytes })
  if (dial !== undefined) return dialOverNats({ ...common(dial), onLoss, maxFrameBytes })
  if (publish !== undefined) return publishToNats({ ...common(publish), onLoss, jetstream })
  return subscribeToNats({ ...common(subscribe ?? ''), durable })
}

/** Counts by name, those of one group a line. */
export function statsLines(stats: AnyStats): readonly string[] {
  return Object.entries(stats).flatMap(([group, counts]) =>
    typeof counts === 'object' && counts !== null
      ? [`${group}: ${pairs(counts as Readonly<Record<string, unknown>>).join(', ')}`]
      : [],
  )
}

function pairs(counts: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(counts).map(
    ([name, count]) => `${String(count)} ${name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`,
  )
}
