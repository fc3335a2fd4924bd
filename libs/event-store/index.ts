export { ACT_DONE, actCommand, actDone, auditOf, auditStream, type Act, type ActOutcome } from './acts.js'
export { appendEvents, WrongExpectedVersion, type Append, type Appended, type ExpectedVersion } from './append/append.js'
export { archive, ARCHIVE_STATEMENT_MS, type Archived, type ArchiveOptions } from './archive/archive.js'
export { ArchiveMissing, ArchiveUnsound, ArchiveUnusable, listPartitions, restoreStream, type ListedPartition } from './archive/archives.js'
export type { BatchReport } from './append/command-queue.js'
export { ArchiveRefused } from './archive/detach-partition.js'
export { eventType, EventTypes, UnknownEvent, versionOf, type EventType, type Upcast } from './event-types.js'
export { renewIncarnation, RenewRefused, type Renewed } from './integrity/incarnation.js'
export { EXPIRING, makeRoom, roomLeft, sweep, type Swept } from './maintenance.js'
export { eventStoreMigrations } from './migration.js'
export { openEventStore, type EventStoreOptions } from './open.js'
export { MessagesSwept } from './relay/pg-outbox.js'
export { pgSubjectKeys, rewrapSubjectKeys } from './keys/pg-subject-keys.js'
export { PublishFailed } from './relay/publish.js'
export { newestEvents, type NewestEvent } from './reading/newest.js'
export { pgEvents } from './reading/reader.js'
export { directRelay, holdRelay, letRelayGo, lookAtRelay, type RelayLog } from './relay/relay-log.js'
export { releaseRelay } from './relay/release-relay.js'
export * from './store.js'
export { streamName, typesByCategory, type AnyStreamType, type RegisteredStreamType, type StreamTypes } from './stream.js'
export { SUBJECT_KEYS_SCHEMA, subjectKeyGrants, subjectKeyMigrations } from './subject-key-migration.js'
export {
  masterKeysOf,
  openWith,
  seal,
  sealerFor,
  sealedText,
  SubjectErased,
  type MasterKeys,
  type Opener,
  type SealedText,
  type SealedTexts,
  type Sealer,
  type SubjectKey,
  type SubjectKeys,
} from './keys/subject-keys.js'
export { CheckpointRefused, readCheckpoint, writeCheckpoint, type CheckpointSeal, type StreamHead } from './integrity/checkpoint.js'
export { differences, listStreams, replayStream, stateAt, type Difference, type ListedStream, type Replayed } from './reading/inspect.js'
export { exportEvents, ImportRefused, importEvents, type Exported, type Transferred } from './integrity/transfer.js'
export { verifyRecent } from './integrity/verify-recent.js'
export { MOST_FAULTS, verifyAll, type Fault, type Verified, type VerifyWith } from './integrity/verify-all.js'
