import { bridged } from './bridged.js'
import { farEndParts } from './parts.js'
import { transportContract } from './transport-contract.js'

transportContract(bridged('engine'), farEndParts)
