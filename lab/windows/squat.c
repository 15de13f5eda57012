/* Makes the service's pipe before the service does, as any program can, and answers whatever it is asked. */
#include <stdio.h>
#include <windows.h>

int main(void)
{
    static const char answer[] = "{\"done\":\"You have left.\"}\n";
    char question[4096];
    DWORD length;
    HANDLE pipe = CreateNamedPipeA("\\\\.\\pipe\\softlan-vpn\\client", PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE,
                                   PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE) {
        printf("refused: %lu\n", GetLastError());
        return 1;
    }
    printf("listening\n");
    fflush(stdout);
    for (;;) {
        if (!ConnectNamedPipe(pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED)
            return 1;
        if (ReadFile(pipe, question, sizeof question, &length, NULL))
            WriteFile(pipe, answer, sizeof answer - 1, &length, NULL);
        FlushFileBuffers(pipe);
        DisconnectNamedPipe(pipe);
    }
}
