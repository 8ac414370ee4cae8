/** The sending half against a shard that moves between any two of its operations. */
import test from 'ava'
import type { LaneHost } from '../../../engine/connection/lane-host.js'
import { Lane } from '../../../engine/connection/connection-lane.js'
import type { ConnectionSettings } from '../../../engine/connection/connection-settings.js'
import { Sender } from '../../../engine/connection/sender.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import { outWords, regionBytes, regionSizeFor } from '../../../engine/protocol/ring-layout.js'
import { RingConsumer } from '../../../engine/protocol/ring.js'
import { HandlerFailures } from '../../../engine/common/handler-failures.js'
import { systemClock } from '../../../engine/protocol/clock.js'
import { interleave } from '../../helpers/atomics-hook.js'
import { FakeAnnouncer } from '../../helpers/fake-announcer.js'
import { createLanes, createRegions } from '../../helpers/fresh-memory.js'
import { specOf } from '../../helpers/wire-bytes.js'

const nothing = (): void => undefined

test.serial('a shard that leaves a region at any moment of a growth does not cost the region', async (t) => {
  const announcer = new FakeAnnouncer()
  const regions = createRegions(announcer)
  const lanes = createLanes(regions)
  // Slabs with room for every size, known to the shard, so that each growth happens at once.
  const taken = regionBytes.map((size) => regions.take(size))
  await announcer.acknowledge()
  for (const region of taken) regions.give(region)

  const places = interleave(() => {
    const grant = lanes.take(8192)
    const host: LaneHost = {
      shard: 0,
      slabs: regions.table,
      wordsOf: () => lanes.table.wordsOf(grant.id),
      baseOf: () => lanes.table.baseOf(grant.id),
      notify: nothing,
      doorbell: { flushSoon: nothing, awaitReply: nothing, replied: nothing, revisit: nothing },
      takeRegion: (bytes, onKnown) => regions.takeKnown(regionSizeFor(bytes), onKnown),
      giveRegion: (id) => {
        regions.give(id)
      },
      releaseLane: nothing,
      turned: () => Promise.resolve(),
      keepAlive: nothing,
      idPrefix: '',
      fetches: undefined,
      onTaken: undefined,
      inline: undefined,
    }
    const options: ConnectionSettings = {
      engine: '0',
      framing: specOf('length', { maxFrameBytes: 1_000_000 }),
      maxFrameBytes: 1_000_000,
      maxPendingBytes: 1_000_000,
      maxRingBytes: 2_097_152,
      frameTimeoutMs: undefined,
      closeTimeoutMs: 0,
      allowHalfOpen: false,
      inlineWrites: 'auto',
      inlineWriteBytes: 4096,
      failures: new HandlerFailures(systemClock, undefined),
      onOutlived: nothing,
      clock: systemClock,
    }
    const outgoing = new Sender(
      new Lane(host, grant, options, {
        kind: 'memory',
        endpoint: 'memory:x',
        role: 'dialled',
        halfClose: true,
        hasDescriptor: false,
      }),
    )
    const shard = new RingConsumer(host.wordsOf(grant), host.baseOf(grant), outWords, regions.table)
    // The first growth, which the shard has not followed yet.
    outgoing.send(Buffer.alloc(9000))
    return {
      work: () => {
        outgoing.send(Buffer.alloc(200_000))
      },
      intrusion: () => {
        for (let bytes = shard.refresh(); bytes > 0; bytes = shard.refresh()) shard.consume(bytes)
        shard.release()
      },
      check: (at) => {
        outgoing.close(new TransportError('ERR_CLOSED', 'over'))
        outgoing.out.release()
        lanes.give(grant)
        t.is(regions.regionsInUse, 0, `the shard came ahead of operation ${String(at)}`)
      },
    }
  })
  t.true(places > 5)
})
