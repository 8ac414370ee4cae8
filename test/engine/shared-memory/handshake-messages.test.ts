/** Messages of the handshake: what is written is read again, and whatever else comes is refused without a failure. */
import test from 'ava'
import {
  decodeAnswer,
  decodeHello,
  decodeOffer,
  decodeVersions,
  encodeAnswer,
  encodeHello,
  encodeOffer,
  MOST_PATH_BYTES,
  type Offer,
} from '../../../engine/shared-memory/handshake-messages.js'
import { ringSizesUpTo, segmentBytes } from '../../../engine/shared-memory/segment-layout.js'
import { byLength } from '../../helpers/length.js'
import { garbled, hellos, offers } from '../../helpers/handshake-garble.js'
import { Random, testSeed } from '../../helpers/random.js'

const ROUNDS = byLength({ short: 20_000, long: 100_000 })
const seed = testSeed()

test('what is written is read again', (t) => {
  const [hello] = hellos
  t.deepEqual(decodeHello(encodeHello(hello)), hello)
  t.deepEqual(decodeVersions(encodeHello(hello)), { lowestVersion: 1, highestVersion: 1 })
  for (const offer of offers) t.deepEqual(decodeOffer(encodeOffer(offer)), offer)
  for (const mode of ['descriptor', 'path'] as const) {
    t.is(decodeAnswer(encodeAnswer(mode), mode), mode)
    t.is(decodeAnswer(encodeAnswer('socket'), mode), 'socket')
  }
  t.is(decodeAnswer(encodeAnswer('path'), 'descriptor'), undefined)
})

test('a path of the most bytes is read, and a longer one is refused', (t) => {
  const [found] = offers.flatMap((offer) => (offer.kind === 'segment' ? [offer.segment] : []))
  if (found === undefined) throw new Error('there is one')
  const withPath = (path: string): Offer | undefined =>
    decodeOffer(encodeOffer({ kind: 'segment', segment: { ...found, at: { mode: 'path', path } } }))
  t.is(withPath(`/${'x'.repeat(MOST_PATH_BYTES - 1)}`)?.kind, 'segment')
  for (const path of [`/${'x'.repeat(MOST_PATH_BYTES)}`, '', 'relative', '/with\0nul']) t.is(withPath(path), undefined)
})

test(`messages with any bytes changed, cut off or added are read or refused (seed ${String(seed)})`, (t) => {
  const random = new Random(seed)
  const read = { hello: 0, offer: 0, answer: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const hello = decodeHello(garbled(random, encodeHello(random.pick(hellos))))
    if (hello !== undefined) {
      read.hello++
      if (ringSizesUpTo(hello.mostRingBytes) === undefined) t.fail(JSON.stringify(hello.mostRingBytes))
    }
    const offer = decodeOffer(garbled(random, encodeOffer(random.pick(offers))))
    if (offer?.kind === 'segment') {
      read.offer++
      const { mostRingBytes, firstRingBytes, bytes, nonce, at } = offer.segment
      const sizes = ringSizesUpTo(mostRingBytes)
      const isWhole = sizes?.includes(firstRingBytes) === true && segmentBytes(sizes) === bytes && nonce.length === 16
      const isThere = at.mode === 'descriptor' || (at.path.startsWith('/') && !at.path.includes('\0'))
      if (!isWhole || !isThere) t.fail(JSON.stringify(offer))
    }
    const answer = decodeAnswer(garbled(random, encodeAnswer(random.pick(['socket', 'path', 'descriptor']))), 'path')
    if (answer !== undefined) read.answer++
    if (answer === 'descriptor') t.fail('it was not offered')
  }
  for (const count of Object.values(read)) t.true(count > 0 && count < ROUNDS, JSON.stringify(read))
})
