/**
 * Piscina starts a file of its own in each thread, which it finds beside its other files. A bundle would part them, so
 * bundlers do not see that it is needed.
 */
import { join } from 'node:path'
import type { Piscina } from 'piscina'
import { version } from '../common/version.js'
import { TransportError } from '../protocol/errors.js'
import { findInstalledPackage, requireFrom, searchedFrom } from './installed-package.js'

type PiscinaClass = typeof Piscina

let loaded: PiscinaClass | undefined

/** `entry`: the worker's, which Piscina is beside where no package is installed. @throws ERR_SHARD_BOOT */
export function loadPiscina(entry: string): PiscinaClass {
  loaded ??= find(entry)
  return loaded
}

function find(entry: string): PiscinaClass {
  // The package's own comes first: a host may have another version for itself, and that one is not meant.
  const installed = findInstalledPackage()
  const own = installed?.version === version ? [join(installed.path, 'package.json')] : []
  const files = [...own, entry, ...searchedFrom()]
  for (const file of files) {
    const found = requireFrom(file, 'piscina')
    if (found !== undefined) return (found.exports as { readonly Piscina: PiscinaClass }).Piscina
  }
  throw new TransportError(
    'ERR_SHARD_BOOT',
    `piscina, which starts worker threads, was not found near ${files.join(' or ')}. Install symphony-transport there, or put piscina into a folder node_modules beside the worker module.`,
  )
}
