/**
 * Every bound on untrusted input, in one place, each with its reason. Checked before allocation, recursion or a loop.
 * CONSENSUS bounds can change a verdict: they belong to protocol version 1 and never change within it.
 */

/** CONSENSUS. Longest encoded state key. One length byte; deep enough for any tuple, and it bounds tree depth (8 × 255 bits). */
export const MAX_KEY_LENGTH = 255
/** CONSENSUS. Longest value of one state leaf (a sealed row with its plaintext columns). */
export const MAX_VALUE_LENGTH = 16 * 1024 * 1024
/** CONSENSUS. Longest entry, signature included. Anything longer is ignored(too-long). */
export const MAX_ENTRY_LENGTH = 32 * 1024 * 1024
/** CONSENSUS. Most ops in one entry. */
export const MAX_OPS = 100_000
/** CONSENSUS. Most declared reads in one entry. */
export const MAX_READS = 4_096
/** CONSENSUS. Heads remembered by the ring: how far back a base may lie. */
export const RING_SIZE = 1_024
/** CONSENSUS. Members' devices and open invitations that one delivery serves. */
export const MAX_RECIPIENTS = 4_096
/** CONSENSUS. Readers and writers start at most one epoch in so many entries. */
export const ROTATE_INTERVAL = 64
/** CONSENSUS. Entries of a lost branch that one acceptance of a rollback names: 2 MiB of hashes, some hours of a busy space. */
export const MAX_LOST_ENTRIES = 65_536
/** Largest count or index anywhere: 48 bits, so every number is a safe integer. */
export const MAX_COUNT = 2 ** 48 - 1
/** Longest read proof that a verifier looks at. */
export const MAX_PROOF_LENGTH = 64 * 1024 * 1024
/** Longest C2SP note. */
export const MAX_NOTE_LENGTH = 64 * 1024
/** Most signatures on a C2SP note, as in Go's sumdb/note (the specification asks for 16 at least): each known one costs a verification. */
export const MAX_NOTE_SIGNATURES = 100
/** Most hashes in an inclusion or consistency proof: a tree of 2^48 leaves needs at most 49. */
export const MAX_LOG_PROOF_HASHES = 64
/** Longest single canonical encoding a Writer makes: far over every structure, well under what an engine can allocate. */
export const MAX_ENCODING_LENGTH = 2 ** 30
/** Longest record or named value of a store: an entry, with room for what is kept beside it. */
export const MAX_STORE_RECORD_LENGTH = MAX_ENTRY_LENGTH + 64 * 1024
/** Most bytes in one batch: it is written at once, so it is held in memory at once. */
export const MAX_STORE_BATCH_LENGTH = 512 * 1024 * 1024
/** Longest name of a value in a store, in UTF-8: a word and a hash. */
export const MAX_STORE_NAME_LENGTH = 255
/** Most items in one frame: tag, request, fields and the records of a batch. */
export const MAX_FRAME_ITEMS = 4_200
/** Most records in one message. */
export const MAX_BATCH_RECORDS = 4_096
/** Longest frame a relay or client accepts: one entry of the longest kind and its envelope. */
export const MAX_FRAME_LENGTH = MAX_ENTRY_LENGTH + 64 * 1024
/** Longest presence message. */
export const MAX_PRESENCE_LENGTH = 16 * 1024
/** Longest list of queries that is asked of a relay, and the rows and bytes after which it ends a page of its answer. */
export const MAX_READ_LENGTH = 256 * 1024
export const MAX_PAGE_ROWS = 10_000
export const MAX_PAGE_BYTES = 1024 * 1024
/** Longest page: one row of the longest kind, and what the others before it and their paths take. */
export const MAX_PAGE_LENGTH = 16 * 1024 * 1024 + 4 * 1024 * 1024
/** Last heads of a space whose states a relay keeps to be read, each the price of what has changed since. */
export const MAX_READABLE_HEADS = 32
/** Longest chunk of a snapshot that is sent: one row of the longest kind, and the paths around it. */
export const MAX_SNAPSHOT_CHUNK_LENGTH = MAX_VALUE_LENGTH + 1024 * 1024
/** Most chunks of one snapshot: 256 GiB of rows as the library cuts them. */
export const MAX_SNAPSHOT_CHUNKS = 2 ** 20
/** Longest manifest of one: counts of up to seven bytes and a few hashes. */
export const MAX_SNAPSHOT_MANIFEST_LENGTH = 8 * MAX_SNAPSHOT_CHUNKS
/** States that a relay keeps for newcomers of one space, each the price of what has changed since. */
export const MAX_ANCHOR_STATES = 64
/** CONSENSUS. Nested expressions of one policy; bounds the recursion that reads and evaluates it. */
export const MAX_POLICY_DEPTH = 32
/** CONSENSUS. Nodes of one policy's expressions, and so the work of one check. */
export const MAX_POLICY_NODES = 512
/** CONSENSUS. Policies of one table, and values in one IN list. */
export const MAX_POLICIES = 256
/** CONSENSUS. Rows that one EXISTS looks at; beyond them it is unknown, which denies. */
export const MAX_EXISTS_ROWS = 256
/** CONSENSUS. Plaintext columns of one table (SQLite's own default limit on columns). */
export const MAX_PLAIN_COLUMNS = 2_000
/** CONSENSUS. Indexes of one table, and columns of one index. */
export const MAX_INDEXES = 64
/** CONSENSUS. Catalog changes in one entry: each may look at the whole catalog. */
export const MAX_CATALOG_OPS = 256
/** CONSENSUS. Longest sealed name of a member or device. */
export const MAX_NAME_LENGTH = 1_024
/** UTF-8 bytes of the name of a document: it is a value of a blind index. */
export const MAX_DOCUMENT_NAME_LENGTH = 200
/** CONSENSUS. Longest history link or blinding box: some 1,900 epochs' secrets, kept in the state for good. */
export const MAX_LINK_LENGTH = 64 * 1024
/** CONSENSUS. Most devices that one invitation admits. */
export const MAX_INVITATION_USES = 1_024
/** CONSENSUS. Most live devices of one member: bounds how far one member can lengthen every delivery. */
export const MAX_MEMBER_DEVICES = 32
/** CONSENSUS. Policy nodes evaluated for one entry (long values and rows looked up count as more): a hundred a row in the largest, a few seconds of work at worst. */
export const MAX_POLICY_STEPS = 10_000_000
/** CONSENSUS. Plaintext bytes of every chunk of a file but its last: a message that is sent, verified and kept by itself, and the least that is fetched. */
export const FILE_CHUNK_LENGTH = 128 * 1024
/** CONSENSUS. Longest file: 32,768 chunks, so that what is known of a transfer stays small. */
export const MAX_FILE_LENGTH = 2 ** 32
/** Most chunks of one file, longest sealed chunk, and hashes in the proof of one. */
export const MAX_FILE_CHUNKS = MAX_FILE_LENGTH / FILE_CHUNK_LENGTH
export const MAX_SEALED_CHUNK_LENGTH = FILE_CHUNK_LENGTH + 16
export const MAX_CHUNK_PROOF_HASHES = 15
/** Ids in one answer to which files a relay lacks. */
export const MAX_WANTED_FILES = 1_024
/** Longest chunk in a store: with its proof beside it. */
export const MAX_STORED_CHUNK_LENGTH = MAX_SEALED_CHUNK_LENGTH + 1024
/** CONSENSUS. What is sealed of a file in the state: its key, name and type, and zeros up to this length, so that no name shows by its length. */
export const FILE_CONTENT_LENGTH = 448
/** Name (what file systems allow) and type (RFC 6838: 127 each side of the slash) of a file, in UTF-8. */
export const MAX_FILE_NAME_LENGTH = 255
export const MAX_FILE_TYPE_LENGTH = 127
/** Columns of one table: SQLite's own limit, as sql.js is built. */
export const MAX_COLUMNS = 2_000
/** Height of one expression tree: SQLite's own limit. */
export const MAX_EXPRESSION_DEPTH = 1_000
/** Brackets, calls and subqueries inside each other: each costs parser stack. SQLite itself refuses 300 nested subqueries. */
export const MAX_SQL_NESTING = 150
/** Longest text of a shared definition: every device parses each, whoever sealed it (a table of 2,000 columns takes a fifth). */
export const MAX_DEFINITION_LENGTH = 256 * 1024
/** Parsed statements kept, and the longest text that is worth keeping. */
export const PARSE_CACHE_SIZE = 512
export const PARSE_CACHE_TEXT = 64 * 1024
/** Longest receipt, and the rows, vouching devices and longest vouching or admitting entry in one. */
export const MAX_RECEIPT_LENGTH = 64 * 1024 * 1024
export const MAX_RECEIPT_ROWS = 1_024
export const MAX_RECEIPT_VOUCHERS = 64
export const MAX_VOUCHER_LENGTH = 256 * 1024
/** Points that a plan reads one by one; beyond them a table is read by range, or whole. */
export const MAX_PLAN_POINTS = 1_024
/** Longest invitation link, page included: what mail programs and chats pass on whole, and some. */
export const MAX_INVITATION_LINK_LENGTH = 16 * 1024
/** Rows that the statements of one transaction may touch, changed in the end or not: ten times what an entry may change. Each is a key in memory. */
export const MAX_TOUCHED_ROWS = 1_000_000
/** What a thin client holds of a state at a time: nodes, and bytes of keys and values; and how often a read may ask for more before it is given up. */
export const MAX_REMOTE_NODES = 500_000
export const MAX_REMOTE_BYTES = 96 * 1024 * 1024
export const MAX_REMOTE_ROUNDS = 256
/** Rows that a thin client takes of a table of which a statement names no range. */
export const MAX_REMOTE_ROWS = 50_000
/** Entries that one witness is of, the bytes of them, and the entries that a relay goes back to make one. */
export const MAX_WITNESS_RECORDS = 256
export const MAX_WITNESS_BYTES = 1024 * 1024
export const MAX_WITNESS_REPLAY = 100_000
