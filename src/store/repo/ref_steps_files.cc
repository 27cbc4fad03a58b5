#include "base/fault.h"
#include "store/repo/ref_steps.h"

// Files that are changed as one of several steps. The tree is made anew from what the branch has by then, so that the step sees
// what those before it did; its objects are stored at once, since the next step may read them.

namespace pfs::store {

Result<StepResult> RefSteps::apply_one(const ChangeFiles& step) {
  PFS_TRY(publish(step.ref));
  PFS_TRY_ASSIGN(const auto there, edit_.get(branch_key(step.ref)));
  Branch branch;
  if (there || !step.make_branch) {
    PFS_TRY_ASSIGN(branch, load_branch(edit_.reader(), step.ref));
  } else {
    PFS_TRY_ASSIGN(branch, new_branch(step.ref, false, step.owner));
  }
  PFS_TRY(refuse_output(branch, "writes"));
  const bool started = started_.contains(step.ref);
  if (!started) PFS_TRY(refuse_by_hand(branch));
  PFS_TRY_ASSIGN(const auto head, head_of(branch));
  const FinishedTree base = branch.open_tree ? *branch.open_tree : head ? FinishedTree{head->root, head->links} : FinishedTree{};
  PFS_TRY_ASSIGN(const auto tree, changed(step, base));
  PFS_FAULT_POINT("store.steps.files");
  if (started) {
    branch.open_tree = tree;
    put(branch);
    TreeChange change{step.ref, head, branch.open};
    change.begins = tree;
    effects_.trees.push_back(std::move(change));
    return StepResult{branch.open, true};
  }
  Commit commit;
  commit.root = tree.root;
  commit.links = tree.links;
  commit.author = step.author;
  // the live tree is another from here on, so the commit need not have the id that was meant for what is in that one
  branch.open = step.id ? *step.id : new_commit_id();
  PFS_TRY_ASSIGN(commit, add_commit(branch, std::move(commit), new_commit_id()));
  effects_.trees.push_back({step.ref, commit, branch.open});
  return StepResult{commit.id, true};
}

Result<FinishedTree> RefSteps::changed(const ChangeFiles& step, const FinishedTree& base) {
  PFS_TRY_ASSIGN(const auto scratch, trees_.scratch_over(base));
  PFS_TRY(step.change(scratch));
  FinishedTree tree;
  PFS_TRY_ASSIGN(tree.root, trees_.snapshot(trees_.root(scratch)));
  PFS_TRY_ASSIGN(tree.links, trees_.links_of(base, tree.root));
  return tree;
}

}  // namespace pfs::store
