/**
 * Piscina starts a file of its own in each thread, which it finds beside its other files. A bundle would part them, so
 * bundlers do not see that it is needed.
 */
import { join } from 'node:path'
import type { Piscina } from 'piscina'
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
  // Some package managers show a dependency to the package alone that names it.
  const installed = findInstalledPackage()
  const files = [...searchedFrom(), entry, ...(installed === undefined ? [] : [join(installed.path, 'package.json')])]
  for (const file of files) {
    const found = requireFrom(file, 'piscina')
    if (found !== undefined) return (found.exports as { readonly Piscina: PiscinaClass }).Piscina
  }
  throw new TransportError(
    'ERR_SHARD_BOOT',
    `piscina, which starts worker threads, was not found near ${files.join(' or ')}. Install symphony-transport there, or put piscina into a folder node_modules beside the worker module.`,
  )
}
