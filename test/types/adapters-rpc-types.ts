/** What the compiler accepts and refuses of adapters for RPC libraries. It is compiled, and never run. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { Transport as SdkTransport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { createBirpc, type BirpcOptions, type BirpcReturn } from 'birpc'
import { expose, wrap, type Endpoint } from 'comlink'
import { expectTypeOf } from 'expect-type'
import type { Connection } from 'symphony-transport'
import {
  toBirpcChannel,
  toComlinkEndpoint,
  toMcpTransport,
  type BirpcChannel,
  type BirpcClosable,
  type ComlinkCodec,
  type ComlinkEndpoint,
  type ComlinkOptions,
  type McpMessage,
  type McpTransport,
} from 'symphony-transport/adapters'

declare const connection: Connection

expectTypeOf(toMcpTransport(connection)).toEqualTypeOf<McpTransport>()
expectTypeOf<McpTransport>().toExtend<SdkTransport>()
void new Client({ name: 'client', version: '1.0.0' }).connect(toMcpTransport(connection))
void new McpServer({ name: 'server', version: '1.0.0' }).connect(toMcpTransport(connection))
void toMcpTransport(connection).send({ jsonrpc: '2.0' } satisfies McpMessage)

interface Sums {
  add(a: number, b: number): number
}

const channel = toBirpcChannel(connection)
expectTypeOf(channel).toEqualTypeOf<BirpcChannel>()
expectTypeOf<BirpcChannel>().toExtend<BirpcOptions>()
const rpc = channel.attach(createBirpc<Sums>({}, channel))
expectTypeOf(rpc).toExtend<BirpcReturn<Sums>>()
expectTypeOf(rpc).toExtend<BirpcClosable>()
expectTypeOf(rpc.add(1, 2)).resolves.toBeNumber()
// @ts-expect-error nothing that can be closed
channel.attach({})

expectTypeOf(toComlinkEndpoint(connection)).toEqualTypeOf<ComlinkEndpoint>()
expectTypeOf<ComlinkEndpoint>().toExtend<Endpoint>()
expose({}, toComlinkEndpoint(connection, { codec: 'json' } satisfies ComlinkOptions))
expectTypeOf(wrap<Sums>(toComlinkEndpoint(connection)).add(1, 2)).resolves.toBeNumber()
expectTypeOf<'v8' | 'json'>().toEqualTypeOf<ComlinkCodec>()
// @ts-expect-error no such codec
toComlinkEndpoint(connection, { codec: 'xml' })
