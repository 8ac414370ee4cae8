/** What the compiler accepts and refuses of bridges to NATS. It is compiled, and never run. */
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { expectTypeOf } from 'expect-type'
import type { Transport } from 'symphony-transport'
import {
  dialOverNats,
  listenOverNats,
  publishToNats,
  subscribeToNats,
  type Bridge,
  type BridgeClosed,
  type BridgeCloseOptions,
  type BridgeOptions,
  type CommonBridgeOptions,
  type ConnectionBridgeStats,
  type ConnectionReport,
  type NatsInput,
  type PublishOptions,
  type PublishReport,
  type PublishStats,
  type SubscribeOptions,
  type SubscribeStats,
} from 'symphony-transport/bridge-nats'

declare const nats: NatsConnection
declare const transport: Transport
declare const bridge: Bridge<ConnectionBridgeStats>

expectTypeOf<NatsConnection>().toExtend<NatsInput>()
expectTypeOf<NodeConnectionOptions>().toExtend<NatsInput>()
expectTypeOf<BridgeOptions>().toExtend<CommonBridgeOptions>()

const common = { nats, transport, subject: 'a.b' }
expectTypeOf(listenOverNats(common)).resolves.toEqualTypeOf<Bridge<ConnectionBridgeStats>>()
expectTypeOf(dialOverNats({ ...common, nats: { servers: 'nats://h' } })).resolves.toEqualTypeOf<
  Bridge<ConnectionBridgeStats>
>()
expectTypeOf(publishToNats({ ...common, jetstream: true } satisfies PublishOptions)).resolves.toEqualTypeOf<
  Bridge<PublishStats>
>()
expectTypeOf(subscribeToNats({ ...common, durable: 'a' } satisfies SubscribeOptions)).resolves.toEqualTypeOf<
  Bridge<SubscribeStats>
>()
// @ts-expect-error a subject is missing
void listenOverNats({ nats, transport })
// @ts-expect-error an option of another bridge
void dialOverNats({ ...common, durable: 'a' })

expectTypeOf<NonNullable<BridgeOptions['onLoss']>>().parameter(0).toEqualTypeOf<ConnectionReport>()
expectTypeOf<NonNullable<PublishOptions['onLoss']>>().parameter(0).toEqualTypeOf<PublishReport>()
expectTypeOf<(typeof bridge)['close']>().parameter(0).toEqualTypeOf<BridgeCloseOptions | undefined>()
expectTypeOf(bridge.closed).resolves.toEqualTypeOf<BridgeClosed>()
