"""Where each thing that PPO on language models must get right is tested.

First the field's checklist, by its numbers; 1, 4, 12, 27 and 28 are decided away by the design, as are the epochs and the
rate of 8 and the constants of 18. Each line names what must hold, then the tests; `test_checklist.py` looks them up.

    2 prompts left-padded, answers scored at their last token
        rollout/test_sampler.py test_left_padding_does_not_change_the_logits
        models/test_reward.py test_the_score_is_read_at_the_last_token_only
    3 positions begin where the prompt does
        rollout/test_sampler.py test_left_padding_does_not_change_the_logits
    5 ids(prompt) + ids(answer) = ids(prompt + answer); nothing is tokenised anew
        text/test_chat.py test_a_demonstration_begins_with_the_prompts_ids
        rewards/test_learned.py test_ids_that_no_text_gives_back_are_scored_as_they_are
    6 dropout off in all networks
        trainers/test_ppo_options.py test_dropout_is_off_in_every_network
        models/test_policy.py test_dropout_is_off_while_training
        rollout/test_sampler.py test_dropout_is_off_while_sampling_and_the_mode_stays
    7 the critic starts at the reward model or at zero; the reward head at 1 / sqrt(d + 1)
        trainers/test_ppo_options.py test_a_critic_on_the_policy_starts_at_zero_and_learns
        trainers/test_ppo_options.py test_a_critic_begun_as_the_reward_model_starts_at_its_scores_and_leaves_it_alone
        models/test_reward.py test_the_head_starts_at_one_over_root_d_plus_one_without_bias
    8 the reward model's loss is on the final score only
        trainers/test_reward.py test_the_loss_against_a_slow_one
    9 the reward is normalised on the reference policy's own answers
        trainers/test_reward.py test_scores_of_the_references_own_answers_have_mean_0_and_deviation_1
    10 Adam's epsilon is 1e-5
        trainers/test_ppo_options.py test_the_rate_falls_in_a_line_and_adam_has_its_epsilon
    11 the rate falls in a line
        trainers/test_ppo_options.py test_the_rate_falls_in_a_line_and_adam_has_its_epsilon
        trainers/test_optimisation.py test_schedules_worked_by_hand
    13 an answer without stop token: its score replaced, or lowered, under two names
        trainers/test_experience.py test_truncated_answers_lose_their_score_or_some_of_it
    14 one temperature for policy, reference and new logits; no top-p
        trainers/test_ppo.py test_the_first_minibatchs_ratio_is_one
        trainers/test_experience.py test_the_reference_is_asked_at_the_samplers_temperature
        trainers/test_ppo_config.py test_training_rollouts_sample_from_the_whole_policy
    15 the score counts once, at the last token
        trainers/test_ppo_options.py test_the_score_counts_once_at_the_last_token
    16 the penalty's sign, its sum with the score
        trainers/test_ppo.py test_what_the_epochs_descend_towards
        algorithms/test_advantages.py test_an_answers_rewards_sum_to_its_score_minus_the_penalty
    17 estimators of the divergence
        algorithms/test_kl.py test_both_average_to_the_divergence
    18 the adaptive coefficient
        trainers/test_ppo_options.py test_the_coefficient_follows_the_kl
        algorithms/test_kl.py test_the_adapted_coefficient_worked_by_hand
    19 rewards whitened: biased variance, mean kept
        trainers/test_ppo.py test_whitened_rewards_have_unit_variance_and_keep_their_mean
    20 advantages whitened over the whole batch, zero on padding
        trainers/test_ppo.py test_what_the_epochs_descend_towards
    21 advantages by gamma and lambda, nothing after the end
        trainers/test_ppo.py test_what_the_epochs_descend_towards
        algorithms/test_advantages.py test_advantages_against_the_sum_written_out
    22 both clips, the value's half and its coefficient, masked means
        trainers/test_ppo.py test_an_updates_numbers_are_means_over_its_answer_tokens
        equivalence/test_ppo_by_hand.py test_two_steps
    23 a fresh permutation each epoch; N minibatches are N optimiser steps
        trainers/test_ppo.py test_all_answers_take_part_once_an_epoch_in_a_new_order_with_their_siblings
        trainers/test_ppo.py test_minibatches_times_epochs_are_that_many_optimiser_steps
    24 the first minibatch's ratio is 1
        trainers/test_ppo.py test_the_first_minibatchs_ratio_is_one
    25 accumulation by the global token count
        equivalence/test_micro_batches.py test_one_minibatch_of_eight_is_eight_accumulated_ones
        equivalence/test_micro_batches.py test_answers_of_very_unequal_length_weigh_by_their_tokens
    26 what is masked reaches no metric
        trainers/test_ppo.py test_an_updates_numbers_are_means_over_its_answer_tokens
    29 the divergence is a sum over the answer, the prompt left out
        trainers/test_ppo.py test_the_metrics_of_the_answers
        trainers/test_experience.py test_the_divergence_is_summed_over_each_answer

Then the defects of the reference implementation (TRL 1.12.0).

    num_mini_batches gives no extra optimiser steps
        trainers/test_ppo.py test_minibatches_times_epochs_are_that_many_optimiser_steps
    statistics are averaged over slots that were never filled
        trainers/test_ppo.py test_a_constant_is_reported_as_itself
    the last batch of a pass makes more steps than the others
        trainers/test_ppo.py test_minibatches_times_epochs_are_that_many_optimiser_steps
    entropy, divergence and ratio count padding
        trainers/test_ppo.py test_an_updates_numbers_are_means_over_its_answer_tokens
    the penalty for a missing end looks for eos, not for the stop token
        trainers/test_experience.py test_what_counts_as_truncated_is_the_stop_token_not_the_tokenizers_eos
    eos = pad masks the eos
        text/test_chat.py test_pad_and_stop_are_always_two_tokens
        batches/test_tokens.py test_a_token_equal_to_the_pad_is_still_attended_to
    whitening by local statistics and the unbiased variance
        trainers/test_ppo.py test_what_the_epochs_descend_towards
        algorithms/test_masked.py test_variance_is_the_biased_one
    the value model is not saved
        trainers/test_faults.py test_a_run_leaves_policy_critic_settings_metrics_and_samples
    a run cannot be resumed
        equivalence/test_resume.py test_ppo
        equivalence/test_resume.py test_ppo_killed_three_times_at_random_moments
"""
