/** The connection to NATS that a bridge is given, or the options of one that it makes. */
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { isObject } from '../../engine/common/describe.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { NatsLink, natsError } from './nats-link.js'

/** A connection that the host has, and closes itself; or options for one that the bridge makes and closes. */
export type NatsInput = NatsConnection | NodeConnectionOptions

export interface OwnedLink {
  readonly link: NatsLink
  /** Closes a connection that was made here, and leaves one of the host's alone. */
  readonly release: () => Promise<void>
}

/** What a connection gets that the options say nothing of: it comes back however long the server is away. */
const DEFAULTS: NodeConnectionOptions = { maxReconnectAttempts: -1, reconnectTimeWait: 250, pingInterval: 10_000 }

/** How long the server may take to confirm what was published, when all is to end. */
const LAST_FLUSH_MS = 1_000

/** @throws {TransportError} ERR_REFUSED, ERR_ACCESS, ERR_TIMEOUT, ERR_IO, ERR_CLOSED, ERR_INVALID_OPTION */
export async function linkTo(nats: NatsInput, clock: Clock): Promise<OwnedLink> {
  if (isNatsConnection(nats)) {
    const link = new NatsLink(nats)
    try {
      await link.flush()
    } catch (error) {
      link.release()
      throw error
    }
    return {
      link,
      release() {
        link.release()
        return Promise.resolve()
      },
    }
  }
  const { connect } = await loadClient()
  let connection: NatsConnection
  try {
    connection = await connect({ ...DEFAULTS, ...nats })
  } catch (cause) {
    throw connectError(cause)
  }
  const link = new NatsLink(connection)
  return {
    link,
    async release() {
      if (link.isUp) await Promise.race([connection.flush().catch(() => undefined), pause(LAST_FLUSH_MS, clock)])
      await connection.close()
    },
  }
}

function pause(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.setTimer(resolve, ms, { keepsAlive: false }))
}

export function isNatsConnection(value: unknown): value is NatsConnection {
  return isObject(value) && typeof (value as { publish?: unknown }).publish === 'function'
}

export function loadClient() {
  return import('@nats-io/transport-node').catch((cause: unknown) => {
    throw missing('@nats-io/transport-node', cause)
  })
}

export function missing(name: string, cause: unknown): TransportError {
  return new TransportError('ERR_NOT_FOUND', `the bridge needs ${name}: npm install ${name}.`, { cause })
}

function connectError(cause: unknown): TransportError {
  const { code } = (cause as { readonly cause?: NodeJS.ErrnoException }).cause ?? (cause as NodeJS.ErrnoException)
  const said = natsError('no connection to the server', cause)
  if (said.code === 'ERR_ACCESS') return said
  const text = said.message
  // Its cause has what was given, and with it a password perhaps.
  if (code === 'ERR_INVALID_URL' || text.includes('Invalid URL')) {
    return new TransportError('ERR_INVALID_OPTION', 'nats: one of the servers is no URL like nats://127.0.0.1:4222.')
  }
  if (code === 'ECONNREFUSED' || text.includes('ECONNREFUSED') || text.includes('connection refused')) {
    return new TransportError('ERR_REFUSED', `${text}. See that nats-server runs there.`, { cause })
  }
  if (/timeout/i.test(text)) return new TransportError('ERR_TIMEOUT', text, { cause })
  return said
}
