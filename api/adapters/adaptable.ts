import type { ClosedInfo, Connection, ConnectionInfo } from '../../engine/common/connection.js'

/** What an adapter needs of a connection: every connection of this package has it, and another object may. */
export interface Adaptable extends Pick<Connection, 'send' | 'ready' | 'receive' | 'subscribe' | 'end' | 'destroy'> {
  readonly closed: Promise<Pick<ClosedInfo, 'cause'> & { readonly code: string }>
  readonly info: Pick<ConnectionInfo, 'endpoint'>
  close(): Promise<unknown>
}
