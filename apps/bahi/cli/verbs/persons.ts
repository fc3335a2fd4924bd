import { pgSubjectKeys, rewrapSubjectKeys } from '#event-store'
import { systemClock } from '#kernel'
import type { Command } from 'commander'
import { Refused, type Io } from '../io.js'
import { atKeys, withKeysPlace, type PlaceOptions } from '../place.js'

type Options = Pick<PlaceOptions, 'home' | 'url'> & { readonly json?: true }

/** `bahi persons …`: the keys under which what is personal is sealed. */
export const register = (program: Command, io: Io): void => {
  const persons = program.command('persons').description('the keys of persons: erase one for good, or wrap them by a new master key')
  const verb = (name: string, description: string) =>
    withKeysPlace(persons.command(name).description(description), io).option('--json', 'JSON, one object')

  verb('erase <subject>', 'destroy the key of a person (the `sub` of their tokens): what was sealed under it can never be read again')
    .option('--yes', 'it cannot be undone, and is done only with this')
    .action((subject: string, options: Options & { yes?: true }) => erase(io, subject, options))

  verb(
    'rewrap',
    'wrap every key by MASTER_KEY that one of MASTER_KEYS_BEFORE has wrapped; beside running apps, and any number of times',
  ).action((options: Options) => rewrap(io, options))
}

const erase = (io: Io, subject: string, { json, yes, ...place }: Options & { yes?: true }) => {
  if (!yes) throw new Refused(`erasing ${subject} cannot be undone: say --yes`)
  return atKeys(place, io.env, async (pool, masterKeys) => {
    const erased = await pgSubjectKeys(pool, masterKeys, systemClock).erase(subject)
    await io.out(json ? JSON.stringify({ subject, erased }) : erased ? 'erased; apps forget it within 5 s' : 'was erased before')
  })
}

const rewrap = (io: Io, { json, ...place }: Options) =>
  atKeys(place, io.env, async (pool, masterKeys) => {
    const rewrapped = await rewrapSubjectKeys(pool, masterKeys)
    await io.out(json ? JSON.stringify({ rewrapped }) : `${rewrapped} keys were wrapped anew`)
  })
