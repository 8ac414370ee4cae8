/** What the scenarios over shared memory say about the system, and ask of it. */
import process from 'node:process'
import test from 'ava'
import { descriptorLimit, descriptorShortage } from '../../perf/harness/descriptor-limit.js'
import { fallbackOf } from '../../perf/harness/fallback.js'
import { endpointAt, meetingPlace, transports } from '../../perf/harness/meeting-place.js'
import { residentMemory, sharedBytesIn } from '../../perf/harness/resident-memory.js'

const connection = (memory?: 'shared' | 'socket') => ({ info: { memory } }) as Parameters<typeof fallbackOf>[1][number]
const engine = (reason?: string) =>
  ({ stats: () => ({ sharedMemory: { reason } }) }) as unknown as Parameters<typeof fallbackOf>[0]

test('connections that all have shared memory need no word', (t) => {
  t.is(fallbackOf(engine('unused'), [connection('shared'), connection('shared')]), undefined)
  t.is(fallbackOf(engine(), []), undefined)
})

test('connections without shared memory say why, and how many they are if not all', (t) => {
  t.is(fallbackOf(engine('no provider'), [connection('socket'), connection()]), 'no provider')
  t.is(fallbackOf(engine('no room'), [connection('shared'), connection('socket')]), '1 of 2: no room')
  t.is(fallbackOf(engine(), [connection('socket')]), 'the peer could not share memory')
})

test('too few descriptors are told before anything is started, with what would do', (t) => {
  t.is(descriptorShortage(100, 2, 500), undefined)
  t.is(descriptorShortage(10_000, 2, Infinity), undefined)
  t.is(
    descriptorShortage(10_000, 2, 1_024),
    '10000 connections need 20300 descriptors in each process, which may have 1024: raise the limit (ulimit -n), or give --connections 362 or less',
  )
})

const onPosix = process.platform === 'win32' ? test.skip : test
const onLinux = process.platform === 'linux' ? test : test.skip

onPosix('the limit of descriptors is that of this process', (t) => {
  const limit = descriptorLimit()
  t.true(limit > 0)
  t.true(limit === Infinity || Number.isInteger(limit))
})

test('shared pages are told from the rest', (t) => {
  t.is(sharedBytesIn('RssAnon:\t   33816 kB\nRssFile:\t   44028 kB\nRssShmem:\t      12 kB\nVmData:\t 1 kB\n'), 12_288)
  t.is(sharedBytesIn('VmRSS:\t 1 kB\n'), undefined)
})

onLinux('the system tells how many there are', (t) => {
  const { rssBytes, sharedBytes } = residentMemory()
  t.true(sharedBytes !== undefined && sharedBytes >= 0 && sharedBytes < rssBytes)
})

onPosix('the same place is a socket, or shared memory', (t) => {
  const place = meetingPlace('/no/such/folder', 'engine to engine, shm')
  t.is(place, '/no/such/folder/engine-to-engine-shm.sock')
  t.is(endpointAt(place), `unix:${place}`)
  t.is(endpointAt(place, 'shm'), `shm:${place}`)
  t.deepEqual(transports, ['unix', 'shm'])
})
