"""The guest shell keeps Jupyter's protocol: jupyter_kernel_test's own examination."""

import jupyter_kernel_test
import pytest


class TestProtocol(jupyter_kernel_test.KernelTests):
    kernel_name = "vnb"
    language_name = "bash"
    file_extension = ".sh"
    subshells = True

    code_hello_world = "%machine image=labos memory=16M\necho hello, world"
    code_generate_error = "%nothing"
    code_display_data = [  # noqa: RUF012
        {"code": "%machine image=labos memory=16M", "mime": "text/html"},
        {"code": "%machine", "mime": "text/html"},
        {"code": "%stats", "mime": "image/png"},
    ]
    completion_samples = [  # noqa: RUF012
        {"text": "%ma", "matches": {"%machine"}},
        {"text": "%machine res", "matches": {"restart", "resume"}},
        {"text": "%machine restart", "matches": {"restart"}},
    ]
    complete_code_samples = ["ls", "echo 'a' \"b\"", "%machine", "", "a \\\nb"]  # noqa: RUF012
    incomplete_code_samples = ["echo 'a", 'echo "a\nb', "ls \\"]  # noqa: RUF012
    code_inspect_sample = "%machine"

    # What a shell has nothing of: stdout and stderr are one, cells have no value, nothing is paged.
    test_execute_stderr = test_execute_result = test_history = None
    test_pager = test_clear_output = None

    def test_a_status_other_than_zero_is_an_error_with_the_status(self) -> None:
        self.flush_channels()
        code = "%machine image=labos memory=16M\nfrobnicate"
        reply, output = self.execute_helper(code)
        assert (reply["content"]["status"], reply["content"]["evalue"]) == ("error", "127")
        errors = [message["content"] for message in output if message["msg_type"] == "error"]
        assert [error["ename"] for error in errors] == ["ExitStatus"]
        assert "exit status 127" in errors[0]["traceback"][0]

    def test_it_offers_subshells_where_its_ipykernel_has_them(self) -> None:
        self.flush_channels()
        message_id = self.kc.kernel_info()
        reply = self.kc.get_shell_msg(timeout=jupyter_kernel_test.TIMEOUT)
        assert reply["parent_header"]["msg_id"] == message_id
        features = reply["content"].get("supported_features", [])
        assert ("kernel subshells" in features) == self.subshells


@pytest.mark.usefixtures("older_ipykernel")
class TestProtocolOnOlderIpykernel(TestProtocol):
    """Which is 6.31: its process looked at the number, and it says so by what it does not offer."""

    kernel_name = "vnb-older"
    subshells = False


@pytest.fixture(autouse=True, scope="session")
def patient() -> None:
    """On a busy computer matplotlib takes its time."""
    jupyter_kernel_test.TIMEOUT = 60
