/** A bridge that publishes and one that subscribes, over a real server, with what connects to both. */
import { randomBytes } from 'node:crypto'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { createEngine, type Connection } from '../../api/index.js'
import {
  publishToNats,
  subscribeToNats,
  type Bridge,
  type PublishOptions,
  type PublishStats,
  type SubscribeOptions,
  type SubscribeStats,
} from '../../api/bridge-nats/index.js'
import type { NatsServer } from './nats-server.js'
import { makeTemporaryFolder } from './temporary-folder.js'

type Own<Options> = Omit<Partial<Options>, 'nats' | 'transport' | 'subject'>

export interface MessageBridges {
  readonly subject: string
  readonly publishing: Bridge<PublishStats>
  readonly subscribing: Bridge<SubscribeStats>
  publisher(): Promise<Connection>
  /** Resolves once the bridge gives it messages. */
  subscriber(): Promise<Connection>
  close(): Promise<void>
}

export const natsOptions = (server: NatsServer) => ({ servers: server.url, reconnectTimeWait: 5, reconnectJitter: 0 })

/** `isStored`: there is a stream that takes the subject. */
export async function messageBridges(
  server: NatsServer,
  isStored: boolean,
  own: { readonly publishing?: Own<PublishOptions>; readonly subscribing?: Own<SubscribeOptions> } = {},
): Promise<MessageBridges> {
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  const near = engine.transport(folder.endpoint(), { allowHalfOpen: true })
  const far = engine.transport(folder.endpoint(), { allowHalfOpen: true })
  const subject = `test.${randomBytes(6).toString('hex')}`
  const nats = natsOptions(server)
  if (isStored) await storingStream(server, subject)
  const made = async () => ({
    subscribing: await subscribeToNats({ nats, transport: far, subject, ...own.subscribing }),
    publishing: await publishToNats({ nats, transport: near, subject, ...own.publishing }),
  })
  const { subscribing, publishing } = await made().catch(async (error: unknown) => {
    await engine.close()
    throw error
  })
  return {
    subject,
    publishing,
    subscribing,
    publisher: () => near.connect(),
    async subscriber() {
      const { open, ended } = subscribing.stats().connections
      const connection = await far.connect()
      while (subscribing.stats().connections.open + subscribing.stats().connections.ended <= open + ended) {
        await new Promise(setImmediate)
      }
      return connection
    },
    async close() {
      await Promise.all([publishing.close({ graceMs: 0 }), subscribing.close({ graceMs: 0 })])
      await engine.close({ graceMs: 0 })
      await folder.remove()
    },
  }
}

/** Makes a stream that takes the subject. */
export async function storingStream(server: NatsServer, subject: string): Promise<void> {
  const connection = await connect(natsOptions(server))
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: subject.replace('.', '-'), subjects: [subject] })
  await connection.close()
}

/** The next so many frames as text. */
export async function texts(connection: Connection, count: number): Promise<readonly string[]> {
  const list: string[] = []
  while (list.length < count) {
    const frame = await connection.receive()
    if (frame === undefined) throw new Error(`the stream has ended after ${String(list.length)} frames`)
    list.push(String(frame))
  }
  return list
}

export function numbers(count: number, from = 0): readonly string[] {
  return Array.from({ length: count }, (_, i) => String(from + i))
}
