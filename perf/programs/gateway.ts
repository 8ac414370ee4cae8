/**
 * An HTTP server as a host would write it: each request is one round trip to another process behind it. Replies come in
 * the order of the requests, connection by connection.
 */
import http from 'node:http'
import { GATEWAY_BYTES, GATEWAY_REPLY, stamp, stampOf, type SideConfig } from '../harness/messages.js'
import type { Peer, PeerStack } from './peer.js'

interface Backend {
  readonly peer: Peer
  /** The requests that wait for a reply, oldest first. */
  readonly waiting: ((frame: Buffer) => void)[]
}

export async function startGateway(stack: PeerStack, config: SideConfig): Promise<() => Promise<void>> {
  const backends: Backend[] = []
  for (let i = 0; i < config.connections; i++) {
    const waiting: Backend['waiting'] = []
    const peer = await stack.connect((frame) => waiting.shift()?.(frame))
    peer.prepare(GATEWAY_BYTES)
    backends.push({ peer, waiting })
  }
  let requests = 0
  const server = http.createServer((_request, response) => {
    const number = requests++
    const backend = backends[number % backends.length]
    backend?.waiting.push((frame) => {
      const right = frame.length === GATEWAY_BYTES && stampOf(frame) === stamp(number)
      response.statusCode = right ? 200 : 500
      response.end(GATEWAY_REPLY)
    })
    backend?.peer.send(stamp(number))
  })
  await new Promise<void>((resolve) => server.listen(`${config.path}.http`, resolve))
  return () =>
    new Promise((resolve) => {
      server.close(() => {
        resolve()
      })
      server.closeAllConnections()
    })
}
