/** What an adapter says of something that is no connection: above all a promise that nobody awaited. */
import { createServer } from 'node:http'
import test from 'ava'
import * as adapters from '../../../api/adapters/index.js'
import { TransportError } from '../../../api/index.js'

type Adapt = (adapted: never) => unknown

const ofConnections: Readonly<Record<string, Adapt>> = {
  json: adapters.json,
  requests: adapters.requests,
  toBirpcChannel: adapters.toBirpcChannel,
  toComlinkEndpoint: adapters.toComlinkEndpoint,
  toDuplex: adapters.toDuplex,
  toEmitter: adapters.toEmitter,
  toJsonRpc: adapters.toJsonRpc,
  toMcpTransport: adapters.toMcpTransport,
  toNodeIpc: adapters.toNodeIpc,
  toWebStreams: adapters.toWebStreams,
}

const ofTransports: Readonly<Record<string, Adapt>> = {
  createHttpAgent: adapters.createHttpAgent,
  serveHttp: (transport) => adapters.serveHttp(transport, createServer()),
  toUndiciConnect: adapters.toUndiciConnect,
}

const wrong: readonly (readonly [given: unknown, got: string])[] = [
  [undefined, 'nothing'],
  [Promise.resolve(), 'a promise: await it first'],
  ['local:notes', 'a string'],
  [{}, 'an object'],
]

for (const [adapts, what] of [
  [ofConnections, 'a connection'],
  [ofTransports, 'what engine.transport() has returned'],
] as const) {
  for (const [name, adapt] of Object.entries(adapts)) {
    for (const [given, got] of wrong) {
      test(`${name}() expects ${what}, and not ${got}`, async (t) => {
        const adapted = Promise.resolve().then(() => adapt(given as never))
        const refused = await t.throwsAsync(adapted, { instanceOf: TransportError })
        t.is(refused.code, 'ERR_INVALID_OPTION')
        t.is(refused.message, `${name}(): expected ${what}, got ${got}.`)
      })
    }
  }
}

test('every adapter is tried', (t) => {
  const tried = [...Object.keys(ofConnections), ...Object.keys(ofTransports)]
  const functions = Object.entries(adapters).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
  t.deepEqual([...tried, 'RemoteError'].sort(), functions.sort())
})
