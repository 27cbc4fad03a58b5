#pragma once

#include "cli/grammar.h"
#include "cli/session.h"

namespace pfs::cli {

// One function a resource, in the file of that name; each adds its verbs. Both arguments must
// outlive the run.
void add_repo_commands(Grammar& grammar, Session& session);
void add_branch_commands(Grammar& grammar, Session& session);
void add_commit_commands(Grammar& grammar, Session& session);
void add_transaction_commands(Grammar& grammar, Session& session);
void add_file_commands(Grammar& grammar, Session& session);
void add_put_file_command(Grammar& grammar, Session& session);
void add_get_file_command(Grammar& grammar, Session& session);
void add_diff_file_command(Grammar& grammar, Session& session);
void add_sync_command(Grammar& grammar, Session& session);
void add_pipeline_commands(Grammar& grammar, Session& session);
void add_spec_commands(Grammar& grammar, Session& session);
void add_job_commands(Grammar& grammar, Session& session);
void add_datum_commands(Grammar& grammar, Session& session);
void add_logs_command(Grammar& grammar, Session& session);
void add_secret_commands(Grammar& grammar, Session& session);
void add_mount_commands(Grammar& grammar, Session& session);
void add_admin_commands(Grammar& grammar, Session& session);
void add_config_commands(Grammar& grammar, Session& session);
void add_debug_command(Grammar& grammar, Session& session);
void add_doctor_command(Grammar& grammar, Session& session);
void add_help_commands(Grammar& grammar, Session& session);

/// What the shell asks at the prompt: one completion of `words`' last a line.
void print_completions(Grammar& grammar, Session& session, const std::vector<std::string>& words);

/// All of them.
void add_commands(Grammar& grammar, Session& session);

/// What the shell is told of an error. Total over Code: 130 when we were asked to stop, as after
/// SIGINT, else 1.
int exit_status(Code code);

/// Runs the command line; returns the exit status.
int run(const std::string& program, std::vector<std::string> arguments);

}  // namespace pfs::cli
