/** What the compiler knows of statistics at an endpoint. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import type { Engine, EngineStats, Listener } from 'symphony-transport'
import { serveStats, type ServeStatsOptions, type StatsAnswer, type StatsServer } from 'symphony-transport/metrics'

declare const engine: Engine
declare const listener: Listener

expectTypeOf(serveStats(engine, 'local:stats', { allowOtherUsers: true })).toEqualTypeOf<Promise<StatsServer>>()
expectTypeOf<StatsAnswer['stats']>().toEqualTypeOf<EngineStats>()
expectTypeOf<StatsServer>().toExtend<AsyncDisposable>()
expectTypeOf<ServeStatsOptions['allowOtherUsers']>().toEqualTypeOf<boolean | undefined>()
// @ts-expect-error Unknown options are refused.
void serveStats(engine, 'local:stats', { allowOthers: true })
expectTypeOf(listener.unref().ref()).toEqualTypeOf<Listener>()
