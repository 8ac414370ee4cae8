/** What the compiler accepts and refuses of HTTP over endpoints. It is compiled, and never run. */
import { createServer, get, type Agent, type Server } from 'node:http'
import { expectTypeOf } from 'expect-type'
import fastify from 'fastify'
import type { Listener, Transport } from 'symphony-transport'
import {
  createHttpAgent,
  serveHttp,
  toUndiciConnect,
  type DiallingTransport,
  type HttpAgentOptions,
  type HttpListener,
  type HttpService,
  type HttpServiceCloseOptions,
  type ListeningTransport,
  type UndiciConnect,
} from 'symphony-transport/adapters'
import { Agent as UndiciAgent, Client, Pool } from 'undici'

declare const transport: Transport

expectTypeOf<Transport>().toExtend<DiallingTransport>()
expectTypeOf<Transport>().toExtend<ListeningTransport>()
expectTypeOf<Listener>().toExtend<HttpListener>()

expectTypeOf(createHttpAgent(transport)).toEqualTypeOf<Agent>()
get('http://any/', { agent: createHttpAgent(transport, { maxSockets: 2 } satisfies HttpAgentOptions) })
// @ts-expect-error an option of agents that has no meaning here
createHttpAgent(transport, { localAddress: '127.0.0.1' })

expectTypeOf(toUndiciConnect(transport)).toEqualTypeOf<UndiciConnect>()
new UndiciAgent({ connect: toUndiciConnect(transport) })
new Client('http://any', { connect: toUndiciConnect(transport) })
new Pool('http://any', { connect: toUndiciConnect(transport) })

expectTypeOf(serveHttp(transport, createServer())).resolves.toEqualTypeOf<HttpService>()
void serveHttp(transport, (_request, response) => response.end())
void serveHttp(transport, fastify().server)
// @ts-expect-error neither a function nor a server
void serveHttp(transport, {})

declare const service: HttpService
expectTypeOf(service.server).toEqualTypeOf<Server>()
expectTypeOf(service.close({ graceMs: 5_000 } satisfies HttpServiceCloseOptions)).resolves.toBeVoid()
