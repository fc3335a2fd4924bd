import { Command, CommanderError } from 'commander'
import { Refused, type Io } from './io.js'

/** A verb is a file in `verbs`: it adds its commands to the program. */
export interface Verb {
  register(program: Command, io: Io): void
}

/** Runs one command line; what the person can mend is one line and exit 1. */
export const runProgram = async (verbs: readonly Verb[], io: Io, words: readonly string[]): Promise<void> => {
  const program = new Command('bahi').description('Tools for a running platform, and for the databases of apps that run alone.')
  program.exitOverride().configureOutput({ writeOut: (text) => void io.out(text.trimEnd()), writeErr: (text) => io.say(text.trimEnd()) })
  for (const verb of verbs) verb.register(program, io)
  try {
    await settled(program).parseAsync([...words], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) io.exitCode = error.exitCode
    else if (error instanceof Refused) {
      io.say(`bahi: ${error.message}`)
      io.exitCode = 1
    } else throw error
  }
}

/** Subcommands that were added before take over neither where to write nor how to end. */
const settled = (command: Command): Command => {
  for (const each of command.commands) settled(each.copyInheritedSettings(command))
  return command
}
