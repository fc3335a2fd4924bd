import { pgSubjectKeys, rewrapSubjectKeys } from '#event-store'
import { systemClock } from '#kernel'
import type { Command } from 'commander'
import { reasonText, recordAct } from '../audit.js'
import { Refused, type Io } from '../io.js'
import { atKeys, atStore, auditUrlOption, withKeysPlace, type PlaceOptions } from '../place.js'

type Options = Pick<PlaceOptions, 'home' | 'url'> & { readonly auditUrl?: string; readonly reason?: string; readonly json?: true }

/** `bahi persons …`: the keys under which what is personal is sealed. */
export const register = (program: Command, io: Io): void => {
  const persons = program.command('persons').description('the keys of persons: erase one for good, or wrap them by a new master key')
  const verb = (name: string, description: string) =>
    withKeysPlace(persons.command(name).description(description), io)
      .addOption(auditUrlOption(io))
      .option('--reason <text>', 'kept in the audit trail, beside your name', reasonText)
      .option('--json', 'JSON, one object')

  verb('erase <subject>', 'destroy the key of a person (the `sub` of their tokens): what was sealed under it can never be read again')
    .option('--yes', 'it cannot be undone, and is done only with this')
    .action((subject: string, options: Options & { yes?: true }) => erase(io, subject, options))

  verb(
    'rewrap',
    'wrap every key by MASTER_KEY that one of MASTER_KEYS_BEFORE has wrapped; beside running apps, and any number of times',
  ).action((options: Options) => rewrap(io, options))
}

const erase = async (io: Io, subject: string, { json, yes, ...place }: Options & { yes?: true }) => {
  if (!yes) throw new Refused(`erasing ${subject} cannot be undone: say --yes`)
  await record(place, 'persons erase', `persons/${subject}`)
  return atKeys(place, io.env, async (pool, masterKeys) => {
    const erased = await pgSubjectKeys(pool, masterKeys, systemClock).erase(subject)
    await io.out(json ? JSON.stringify({ subject, erased }) : erased ? 'erased; apps forget it within 5 s' : 'was erased before')
  })
}

const rewrap = async (io: Io, { json, ...place }: Options) => {
  await record(place, 'persons rewrap', 'persons')
  return atKeys(place, io.env, async (pool, masterKeys) => {
    const rewrapped = await rewrapSubjectKeys(pool, masterKeys)
    await io.out(json ? JSON.stringify({ rewrapped }) : `${rewrapped} keys were wrapped anew`)
  })
}

/** In the store of order-command, to which the keys belong. */
const record = ({ home, url, auditUrl, reason }: Options, action: string, path: string): Promise<void> => {
  if (url !== undefined && auditUrl === undefined)
    throw new Refused("say by --audit-url, or DATABASE_URL, where order-command's database is: its audit trail keeps who did this")
  const place = { app: 'order-command', home, ...(auditUrl === undefined ? {} : { url: auditUrl }) }
  return atStore(place, (store) => recordAct(store, action, path, reason))
}
