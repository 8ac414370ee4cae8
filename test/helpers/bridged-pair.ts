/** Two bridges over a real server, with an engine each: what a client dials at one side is served at the other. */
import { randomBytes } from 'node:crypto'
import { createEngine, type Connection, type Engine, type TransportOptions } from '../../api/index.js'
import {
  dialOverNats,
  listenOverNats,
  type Bridge,
  type BridgeOptions,
  type ConnectionBridgeStats,
} from '../../api/bridge-nats/index.js'
import type { NatsServer } from './nats-server.js'
import { makeTemporaryFolder } from './temporary-folder.js'

type Own = Omit<Partial<BridgeOptions>, 'nats' | 'transport' | 'subject'>

export interface BridgedPair {
  readonly engine: Engine
  readonly subject: string
  readonly listening: Bridge<ConnectionBridgeStats>
  readonly dialling: Bridge<ConnectionBridgeStats>
  /** A client of the listening bridge. */
  connect(): Promise<Connection>
  /** The next connection that the dialling bridge has made. */
  accept(): Promise<Connection>
  /** Has all of them served, until the pair is closed. */
  serveAll(serve: (connection: Connection) => Promise<unknown>): Promise<void>
  /** Another bridge that dials the same endpoint. */
  dialOnceMore(): Promise<Bridge<ConnectionBridgeStats>>
  /** Nobody listens any more where the dialling bridge dials. */
  stopServing(): Promise<unknown>
  close(): Promise<void>
}

export async function bridgedPair(
  server: NatsServer,
  own: { readonly listening?: Own; readonly dialling?: Own; readonly transport?: TransportOptions } = {},
): Promise<BridgedPair> {
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  const options = { allowHalfOpen: true, ...own.transport }
  const near = engine.transport(folder.endpoint(), options)
  const far = engine.transport(folder.endpoint(), options)
  const subject = `test.${randomBytes(6).toString('hex')}`
  const nats = { servers: server.url, reconnectTimeWait: 20, reconnectJitter: 0 }
  const listener = await far.listen()
  const dialling = await dialOverNats({ nats, transport: far, subject, ...own.dialling })
  const listening = await listenOverNats({ nats, transport: near, subject, ...own.listening })
  return {
    engine,
    subject,
    listening,
    dialling,
    connect: () => near.connect(),
    async accept() {
      const connection = await listener.accept()
      if (connection === undefined) throw new Error('the listener is closed')
      return connection
    },
    async serveAll(serve) {
      for await (const connection of listener) void serve(connection)
    },
    dialOnceMore: () => dialOverNats({ nats, transport: far, subject, ...own.dialling }),
    stopServing: () => listener.close(),
    async close() {
      await Promise.all([listening.close({ graceMs: 0 }), dialling.close({ graceMs: 0 })])
      await engine.close({ graceMs: 0 })
      await folder.remove()
    },
  }
}
