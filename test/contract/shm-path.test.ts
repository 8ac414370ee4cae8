import { startEngine } from '../../api/engine.js'
import { findNativeMemory, type FoundMemory } from '../../engine/native/find-native-memory.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { withoutMemfd } from '../helpers/native-memories.js'
import { pathParts } from './parts.js'
import { shared } from './shared.js'
import { transportContract } from './transport-contract.js'

async function find(): Promise<FoundMemory> {
  const { memory, reason } = await findNativeMemory()
  return memory === undefined ? { reason } : { memory: withoutMemfd(memory) }
}

// A segment is a file with a name until both ends have it, as on systems that have no memfd.
transportContract({ ...shared('shm'), createEngine: (options) => startEngine(options, systemClock, find) }, pathParts)
